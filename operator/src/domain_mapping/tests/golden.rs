//! Claim, Ingress and status of whole mappings.

use super::World;
use crate::domain_mapping::claim::Claim;
use crate::domain_mapping::desired;
use crate::golden::{check, document};

#[test]
fn children_and_status_are_as_in_the_golden_files() {
    check("domain_mapping/tests/golden", |world: World| {
        let plan = world.plan();
        let mut documents = Vec::new();
        if plan.claim == Claim::Free {
            documents.push(document(&desired::claim(&world.mapping)));
        }
        documents.extend(plan.certificate.order().map(document));
        documents.extend(plan.ingress.ok().map(|ingress| document(&ingress)));
        documents.push(document(&world.status()));
        documents
    });
}
