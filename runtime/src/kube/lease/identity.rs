//! Who competes for a lease, as `holderIdentity` says it: `<pod>_<something>`.

use rand::RngExt;

/// What we call ourselves in leases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    text: String,
    pod: Option<String>,
}

impl Identity {
    /// A process: `<pod>_<uuid>`. Without a pod the process is nobody's neighbour: it waits until
    /// leases expire.
    pub fn of_process(pod: Option<&str>) -> Self {
        let [high, low] = [(); 2].map(|()| rand::rng().random::<u64>());
        let uuid = format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            low >> 48 & 0x3fff | 0x8000,
            low & 0xffff_ffff_ffff,
        );
        Self {
            text: format!("{}_{uuid}", pod.unwrap_or("outside")),
            pod: pod.map(str::to_owned),
        }
    }

    /// A process that others send to: `<pod>_<address>`.
    pub fn of_address(pod: &str, address: &str) -> Self {
        Self {
            text: format!("{pod}_{address}"),
            pod: Some(pod.to_owned()),
        }
    }

    /// As leases say it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Our pod, if we run in one.
    pub(super) fn pod(&self) -> Option<&str> {
        self.pod.as_deref()
    }

    /// Whether `holder` is us, or a process that ran in our pod before us.
    pub(super) fn is_predecessor(&self, holder: &str) -> bool {
        holder == self.text || (self.pod.is_some() && pod_of(holder) == self.pod())
    }

    /// Whether the pod `name` belongs to our Deployment: the same name but for the ends that
    /// ReplicaSet and pod add.
    pub(super) fn is_sibling(&self, name: &str) -> bool {
        let ours = self.pod().and_then(deployment_of);
        ours.is_some() && deployment_of(name) == ours
    }
}

/// The pod in a `holderIdentity`.
pub(super) fn pod_of(holder: &str) -> Option<&str> {
    let (pod, _) = holder.split_once('_')?;
    Some(pod).filter(|pod| !pod.is_empty())
}

fn deployment_of(pod: &str) -> Option<&str> {
    let (replica_set, _) = pod.rsplit_once('-')?;
    let (deployment, _) = replica_set.rsplit_once('-')?;
    Some(deployment).filter(|deployment| !deployment.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{Identity, pod_of};

    #[test]
    fn a_process_is_its_pod_and_a_uuid() {
        let identity = Identity::of_process(Some("controller-7d-x2"));
        let (pod, uuid) = identity.as_str().split_once('_').unwrap();
        assert_eq!(pod, "controller-7d-x2");
        let lengths: Vec<_> = uuid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(&uuid[14..15], "4");
        assert_ne!(identity, Identity::of_process(Some("controller-7d-x2")));
    }

    #[test]
    fn neighbours_are_known_by_their_names() {
        let me = Identity::of_process(Some("controller-7d-x2"));
        for (pod, sibling) in [
            ("controller-7d-y3", true),
            ("controller-8e-y3", true),
            ("net-controller-7d-y3", false),
            ("laptop", false),
            ("controller", false),
        ] {
            assert_eq!(me.is_sibling(pod), sibling, "{pod}");
        }
        assert!(!Identity::of_process(None).is_sibling("controller-7d-y3"));
    }

    #[test]
    fn the_same_pod_with_another_end_is_our_predecessor() {
        let me = Identity::of_process(Some("controller-7d-x2"));
        assert!(me.is_predecessor("controller-7d-x2_before"));
        assert!(me.is_predecessor(me.as_str()));
        assert!(!me.is_predecessor("controller-7d-y3_before"));
        assert!(!me.is_predecessor("controller-7d-x2"));
        assert!(!Identity::of_process(None).is_predecessor("outside_before"));
        let autoscaler = Identity::of_address("autoscaler-5c-a1", "10.0.0.7");
        assert!(autoscaler.is_predecessor("autoscaler-5c-a1_10.0.0.7"));
    }

    #[test]
    fn identities_of_others_may_be_anything() {
        assert_eq!(pod_of("controller-7d-x2_a_b"), Some("controller-7d-x2"));
        assert_eq!(pod_of("someone"), None);
        assert_eq!(pod_of("_x"), None);
    }
}
