use std::time::Duration;

use super::super::{AffinityType, name};
use super::{check_faults, data, settings};

const IMAGE: (&str, &str) = ("queue-sidecar-image", "q");

#[test]
fn the_image_of_the_sidecar_must_be_there() {
    let missing = "queue-sidecar-image cannot be empty or unset";
    check_faults(
        name::DEPLOYMENT,
        &[
            (&[], missing),
            (&[("queue-sidecar-image", " ")], missing),
            (
                &[("queue-sidecar-image", ""), ("queueSidecarImage", "q")],
                missing,
            ),
            (&[("queueSidecarImage", "q")], ""),
            (&[IMAGE], ""),
        ],
    );
}

#[test]
fn older_spellings_are_read_and_newer_ones_win() {
    let old = settings(
        name::DEPLOYMENT,
        &[("queueSidecarImage", "q"), ("progressDeadline", "9s")],
    );
    assert_eq!(old.deployment.progress_deadline, Duration::from_secs(9));
    let both = settings(
        name::DEPLOYMENT,
        &[
            IMAGE,
            ("queueSidecarImage", "old"),
            ("progressDeadline", "0s"),
            ("progress-deadline", "7s"),
        ],
    );
    assert_eq!(both.deployment.queue_sidecar_image, "q");
    assert_eq!(both.deployment.progress_deadline, Duration::from_secs(7));
    let unreadable = [
        IMAGE,
        ("progressDeadline", "x"),
        ("progress-deadline", "7s"),
    ];
    assert!(super::super::check(name::DEPLOYMENT, &data(&unreadable)).is_err());
}

#[test]
fn pods_of_revisions_have_rules_that_can_be() {
    check_faults(
        name::DEPLOYMENT,
        &[
            (
                &[IMAGE, ("progress-deadline", "0s")],
                "progress-deadline cannot be a non-positive duration, was: 0s",
            ),
            (
                &[IMAGE, ("progress-deadline", "1500ms")],
                "progress-deadline must be rounded to a whole second, was: 1.5s",
            ),
            (
                &[IMAGE, ("digest-resolution-timeout", "-1s")],
                "digest-resolution-timeout cannot be a non-positive duration, was: -1s",
            ),
            (
                &[IMAGE, ("default-affinity-type", "None")],
                "unsupported default-affinity-type value: \"None\"",
            ),
            (
                &[
                    IMAGE,
                    ("runtime-class-name", "kata: {selector: {'a b': c}}"),
                ],
                "failed to parse \"runtime-class-name\": kata: a b: c can't be a label",
            ),
            (
                &[IMAGE, ("runtime-class-name", "kata: x")],
                "failed to parse \"runtime-class-name\": a mapping is needed here",
            ),
        ],
    );
    let none = settings(
        name::DEPLOYMENT,
        &[IMAGE, ("default-affinity-type", "none")],
    );
    assert_eq!(none.deployment.default_affinity_type, AffinityType::None);
}

#[test]
fn the_runtime_class_with_the_most_labels_wins() {
    let classes = "kata: {selector: {app: shop}}\ngvisor:\nalso: {selector: {}}\nport: {selector: {port: 80}}";
    let read = settings(name::DEPLOYMENT, &[IMAGE, ("runtime-class-name", classes)]);
    for (labels, class) in [
        (data(&[]), "also"),
        (data(&[("app", "shop")]), "kata"),
        (data(&[("port", "80")]), "port"),
    ] {
        assert_eq!(read.deployment.runtime_class_for(&labels), Some(class));
    }
    let none = settings(name::DEPLOYMENT, &[IMAGE, ("runtime-class-name", "")]);
    assert_eq!(none.deployment.runtime_class_for(&data(&[])), None);
}

#[test]
fn spaces_in_lists_do_not_count() {
    let read = settings(
        name::DEPLOYMENT,
        &[
            IMAGE,
            ("registries-skipping-tag-resolving", " a.io , b.io,,"),
            ("queue-sidecar-token-audiences", ""),
        ],
    );
    let skipped = &read.deployment.registries_skipping_tag_resolving;
    assert!(skipped.iter().eq(["a.io", "b.io"]));
    assert!(read.deployment.queue_sidecar_token_audiences.is_empty());
}
