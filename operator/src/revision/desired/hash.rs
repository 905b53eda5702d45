//! The hash that tells whether a Deployment must be written (contract/control-plane 2.4).

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use serde_json::json;

const OFFSET: u32 = 0x811c_9dc5;
const PRIME: u32 = 0x0100_0193;
const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// Hash of what we render: spec, annotations and labels. The replicas don't count: they are the
/// autoscaler's, and a new default for them must not touch the pods that run.
pub(super) fn hash(deployment: &Deployment) -> String {
    let spec = deployment.spec.clone().map(|spec| DeploymentSpec {
        replicas: None,
        ..spec
    });
    let metadata = &deployment.metadata;
    let rendered = json!([spec, metadata.annotations, metadata.labels]).to_string();
    base36(fnv1a(rendered.as_bytes()))
}

fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(OFFSET, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(PRIME)
    })
}

fn base36(mut number: u32) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(char::from(DIGITS[(number % 36) as usize]));
        number /= 36;
        if number == 0 {
            return digits.iter().rev().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{base36, fnv1a, hash};
    use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};

    #[test]
    fn fnv1a_is_the_published_one() {
        assert_eq!(fnv1a(b""), 0x811c_9dc5);
        assert_eq!(fnv1a(b"a"), 0xe40c_292c);
        assert_eq!(fnv1a(b"foobar"), 0xbf9c_f968);
    }

    #[test]
    fn base36_counts_digits_then_letters() {
        for (number, text) in [(0, "0"), (35, "z"), (36, "10"), (u32::MAX, "1z141z3")] {
            assert_eq!(base36(number), text);
        }
    }

    #[test]
    fn replicas_do_not_count() {
        let of = |replicas| {
            let spec = DeploymentSpec {
                replicas: Some(replicas),
                ..DeploymentSpec::default()
            };
            hash(&Deployment {
                spec: Some(spec),
                ..Deployment::default()
            })
        };
        assert_eq!(of(1), of(5));
    }
}
