use http::{HeaderMap, header::USER_AGENT};
use net::{
    contract::{header, probe, user_agent},
    fuzz::for_a_while,
    probe::{Dialect, dialect},
};
use proptest::{option, prop_assert, prop_assert_eq};

use crate::requests::value;

#[test]
fn fuzz_probe_dialects() {
    let strategy = (
        option::of(value()),
        option::of(value()),
        option::of(value()),
    );
    for_a_while("probe dialects", &strategy, |(asked, agent, kubelet)| {
        let mut headers = HeaderMap::new();
        let given = [
            (header::PROBE, &asked),
            (USER_AGENT.as_str(), &agent),
            (header::KUBELET_PROBE, &kubelet),
        ];
        for (name, value) in given {
            if let Some(value) = value {
                headers.insert(name, value.clone());
            }
        }
        let found = dialect(&headers);
        let starts = |prefix: &str| {
            let agent = agent.as_ref().map(|agent| agent.as_bytes());
            agent.is_some_and(|agent| agent.starts_with(prefix.as_bytes()))
        };
        let by_agent = starts(user_agent::ACTIVATOR) || starts(user_agent::AUTOSCALER);
        let by_kubelet = starts(user_agent::KUBELET_PREFIX) || kubelet.is_some();
        match (asked.filter(|asked| !asked.is_empty()), &found) {
            (Some(asked), Some(found)) => {
                let exact = |text: &str| asked == text;
                prop_assert_eq!(*found == Dialect::Queue, exact(probe::QUEUE));
                prop_assert_eq!(*found == Dialect::Activator, exact(probe::ACTIVATOR));
                prop_assert_eq!(*found == Dialect::Ingress, exact(probe::INGRESS));
                prop_assert!(*found != Dialect::Kubelet, "the header counts more");
            }
            (Some(_), None) => prop_assert!(false, "a probe passed as a request"),
            (None, found) => {
                prop_assert_eq!(*found == Some(Dialect::Kubelet), by_kubelet);
                prop_assert_eq!(found.is_some(), by_kubelet || by_agent);
            }
        }
        Ok(())
    });
}
