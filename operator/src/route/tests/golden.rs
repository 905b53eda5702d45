//! Children and status of whole Routes.

use serde_yaml::Value;

use super::World;
use crate::golden::{check, document};
use crate::route::desired::placeholder::{Backing, backing, endpoints, service};

#[test]
fn children_and_status_are_as_in_the_golden_files() {
    check("route/tests/golden", |world: World| {
        let mut documents = children(&world);
        documents.push(document(&world.status()));
        documents
    });
}

fn children(world: &World) -> Vec<Value> {
    let Ok(plan) = world.plan() else {
        return Vec::new();
    };
    let certificates = plan.tls.wanted.iter().map(document);
    let mut documents: Vec<Value> = certificates.collect();
    documents.push(document(&plan.ingress));
    let seen = world.seen();
    let gateway = world.ingress.as_ref().and_then(|it| it.status.as_ref());
    for site in plan.sites.values() {
        let current = seen.services.get(&site.name).and_then(|it| it.ours());
        let found = backing(site, gateway, current).or_else(|| current.and_then(Backing::of));
        let Some(found) = found else { continue };
        documents.push(document(&service(&world.route, site, &found, current)));
        if let Backing::Address(address) = &found {
            documents.push(document(&endpoints(&world.route, site, address, None)));
        }
    }
    documents
}
