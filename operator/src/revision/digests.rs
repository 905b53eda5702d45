//! The images of a Revision, by digest (contract/control-plane 7).
//!
//! ```text
//! reconcile ─► resolve (pure) ─► Resolver::look ─► Book            never waits
//!                                                   │ ▲
//!                    registry ◄─ keychain ◄─ task ──┘ └─ answer, and the Revision is looked at again
//! ```

mod book;
mod keychain;
mod question;
mod registry;
mod resolver;
mod secrets;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crds::reference::{Reference, Version};
use crds::revision::{ContainerStatus, Revision};
use k8s_openapi::api::core::v1::Container;

pub(crate) use self::book::Look;
pub(crate) use self::question::Question;
pub(crate) use self::resolver::{Answers, Resolver};

/// The image of each container: with its digest, or empty where only the tag is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Digests {
    /// One entry for each container, in the order of the spec.
    pub(crate) containers: Vec<ContainerStatus>,
    /// One entry for each init container, in the order of the spec.
    pub(crate) init_containers: Vec<ContainerStatus>,
}

/// What is known of the images of a Revision.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Images {
    /// All there is to know: pods can be made.
    Known(Digests),
    /// A registry has been asked.
    Resolving,
    /// An image has no digest.
    Missing {
        /// The image, in the words of the spec.
        image: String,
        /// Why, for people.
        cause: String,
        /// When to look again; None when an answer or an edit will wake the Revision.
        again: Option<Duration>,
    },
}

impl Digests {
    /// The images that pods of this revision run, by name of the container: digests where they
    /// are known.
    pub(crate) fn of_containers(&self) -> BTreeMap<&str, &str> {
        let known = self
            .containers
            .iter()
            .filter(|status| !status.image_digest.is_empty());
        known
            .map(|status| (status.name.as_str(), status.image_digest.as_str()))
            .collect()
    }
}

/// What is known of the images of `revision`. A Revision is resolved once: what its status says
/// for every container stays. An image that is named by digest is its own answer, the `skipped`
/// registries are not asked, and `look` tells what the others say; it is called for every image
/// that needs it, so that all are asked at once.
pub(crate) fn resolve(
    revision: &Revision,
    skipped: &BTreeSet<String>,
    mut look: impl FnMut(Question) -> Look,
) -> Images {
    let pod = &revision.spec.pod;
    let init_containers = pod.init_containers.as_deref().unwrap_or_default();
    if let Some(status) = &revision.status
        && status.container_statuses.len() == pod.containers.len()
        && status.init_container_statuses.len() == init_containers.len()
    {
        return Images::Known(Digests {
            containers: status.container_statuses.clone(),
            init_containers: status.init_container_statuses.clone(),
        });
    }
    let mut looks = |containers: &[Container]| -> Vec<Look> {
        let images = containers.iter().map(image);
        images
            .map(|image| of_image(image, revision, skipped, &mut look))
            .collect()
    };
    let (containers, init) = (looks(&pod.containers), looks(init_containers));
    let all = pod.containers.iter().chain(init_containers);
    worst(all.zip(containers.iter().chain(&init))).unwrap_or_else(|| {
        Images::Known(Digests {
            containers: statuses(&pod.containers, containers),
            init_containers: statuses(init_containers, init),
        })
    })
}

fn image(container: &Container) -> &str {
    container.image.as_deref().unwrap_or_default()
}

fn of_image(
    image: &str,
    revision: &Revision,
    skipped: &BTreeSet<String>,
    look: &mut impl FnMut(Question) -> Look,
) -> Look {
    let reference = match Reference::parse(image) {
        Ok(reference) => reference,
        Err(error) => {
            let (cause, again) = (error.to_string(), None);
            return Look::Failed { cause, again };
        }
    };
    match reference.version {
        Version::Digest(_) => Look::Answered(image.to_owned()),
        Version::Tag(_) if skipped.contains(&reference.registry) => Look::Answered(String::new()),
        Version::Tag(tag) => look(Question::new(
            revision,
            reference.registry,
            reference.repository,
            tag,
        )),
    }
}

/// What keeps the images from being known: the first failure, else that one is being asked for.
fn worst<'a>(looks: impl Iterator<Item = (&'a Container, &'a Look)>) -> Option<Images> {
    let mut resolving = None;
    for (container, look) in looks {
        match look {
            Look::Answered(_) => {}
            Look::Asking => resolving = Some(Images::Resolving),
            Look::Failed { cause, again } => {
                return Some(Images::Missing {
                    image: image(container).to_owned(),
                    cause: cause.clone(),
                    again: *again,
                });
            }
        }
    }
    resolving
}

fn statuses(containers: &[Container], looks: Vec<Look>) -> Vec<ContainerStatus> {
    let answered = containers.iter().zip(looks);
    let statuses = answered.map(|(container, look)| ContainerStatus {
        name: container.name.clone(),
        image_digest: match look {
            Look::Answered(digest) => digest,
            Look::Asking | Look::Failed { .. } => String::new(),
        },
    });
    statuses.collect()
}
