//! Why the autoscaler has nothing to tell about a revision. Each answer names the object and the next
//! command.

use crds::autoscaling::PodAutoscaler;
use crds::name::autoscaling::{CLASS, HPA, KPA};

use crate::id::RevisionId;

/// Why there are no decisions about a revision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Absence {
    /// There is no such revision.
    #[error("there is no revision {0}; see: kubectl -n {ns} get revisions", ns = .0.namespace)]
    NoRevision(RevisionId),
    /// Kubernetes' own autoscaler scales it.
    #[error(
        "revision {0} is scaled by Kubernetes' own autoscaler; \
         see: kubectl -n {ns} describe hpa {name}", ns = .0.namespace, name = .0.name
    )]
    Hpa(RevisionId),
    /// Another autoscaler scales it.
    #[error(
        "revision {0} is of the class {1}, whose autoscaler must be asked; \
         see: kubectl -n {ns} describe podautoscaler {name}", ns = .0.namespace, name = .0.name
    )]
    Other(RevisionId, String),
    /// Nothing was decided yet.
    #[error(
        "nothing was decided about revision {0} yet; \
         see: kubectl -n {ns} describe podautoscaler {name}", ns = .0.namespace, name = .0.name
    )]
    Undecided(RevisionId),
    /// The autoscaler knows none, and nobody else could be asked.
    #[error("the autoscaler knows no revision {0}; see: kubectl -n {ns} get revisions", ns = .0.namespace)]
    Unknown(RevisionId),
}

impl Absence {
    /// The reason, if the revision has this PodAutoscaler.
    pub fn of(id: RevisionId, autoscaler: Option<&PodAutoscaler>) -> Self {
        let Some(autoscaler) = autoscaler else {
            return Self::NoRevision(id);
        };
        let annotations = autoscaler.metadata.annotations.as_ref();
        match annotations
            .and_then(|all| all.get(CLASS))
            .map(String::as_str)
        {
            None | Some(KPA) => Self::Undecided(id),
            Some(HPA) => Self::Hpa(id),
            Some(other) => Self::Other(id, other.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Absence;
    use crate::id::RevisionId;
    use crds::autoscaling::PodAutoscaler;
    use crds::name::autoscaling::CLASS;

    #[test]
    fn an_absence_names_the_revision_and_the_next_command() {
        let told = |class: Option<&str>| {
            let mut autoscaler = PodAutoscaler::default();
            let class = class.map(|class| (CLASS.to_owned(), class.to_owned()));
            autoscaler.metadata.annotations = Some(class.into_iter().collect());
            Absence::of(RevisionId::new("ns", "hello"), Some(&autoscaler)).to_string()
        };
        assert_eq!(
            Absence::of(RevisionId::new("ns", "hello"), None).to_string(),
            "there is no revision ns/hello; see: kubectl -n ns get revisions"
        );
        for class in [None, Some("kpa.autoscaling.knative.dev")] {
            assert_eq!(
                told(class),
                "nothing was decided about revision ns/hello yet; \
                 see: kubectl -n ns describe podautoscaler hello"
            );
        }
        assert_eq!(
            told(Some("hpa.autoscaling.knative.dev")),
            "revision ns/hello is scaled by Kubernetes' own autoscaler; \
             see: kubectl -n ns describe hpa hello"
        );
        assert_eq!(
            told(Some("mine")),
            "revision ns/hello is of the class mine, whose autoscaler must be asked; \
             see: kubectl -n ns describe podautoscaler hello"
        );
    }
}
