use super::super::{validate_configuration, validate_revision, validate_route, validate_service};
use super::{object, with};
use crate::configuration::Configuration;
use crate::revision::Revision;
use crate::route::Route;
use crate::service::Service;

const SPEC: &str =
    "spec: {template: {spec: {containers: [{image: a/b}]}}, traffic: [{percent: 100}]}";

fn service(metadata: &str) -> Service {
    object(&format!(
        "{{metadata: {{{metadata}}}, {SPEC}, kind: Service, apiVersion: v}}"
    ))
}

fn of_service(metadata: &str) -> String {
    with("", |ctx| validate_service(&service(metadata), None, ctx))
        .errors()
        .to_string()
}

#[test]
fn names_are_dns_labels() {
    assert_eq!(of_service("name: a-1"), "");
    assert_eq!(of_service("generateName: a-"), "");
    assert_eq!(
        of_service(""),
        "name or generateName is required: metadata.name"
    );
    for (metadata, starts, ends) in [
        (
            "name: A",
            "not a DNS 1035 label: [a DNS-1035 label must",
            "]: metadata.name",
        ),
        (
            "name: a.b",
            "not a DNS 1035 label: [a DNS-1035 label must",
            "]: metadata.name",
        ),
        (
            "name: 1a",
            "not a DNS 1035 label: [a DNS-1035 label must",
            "]: metadata.name",
        ),
        (
            "generateName: A, name: B",
            "not a DNS 1035 label prefix: [a DNS-1035",
            "]: metadata.generateName",
        ),
        (
            "generateName: a-, name: B",
            "not a DNS 1035 label: [a DNS-1035 label must",
            "]: metadata.name",
        ),
    ] {
        let text = of_service(metadata);
        assert!(
            text.starts_with(starts) && text.ends_with(ends),
            "{metadata}: {text}"
        );
    }
}

#[test]
fn annotations_of_parents_are_checked() {
    let rollout = "serving.knative.dev/rollout-duration";
    for (annotation, expect) in [
        ("a: b".to_owned(), String::new()),
        (
            "autoscaling.knative.dev/min-scale: '1'".to_owned(),
            "invalid key name \"autoscaling.knative.dev/min-scale\": metadata.annotations\nautoscaling annotations must be put under \"spec.template.metadata.annotations\" to work".to_owned(),
        ),
        (format!("{rollout}: 90s"), String::new()),
        (format!("{rollout}: 0s"), String::new()),
        (format!("{rollout}: '', serving.knative.dev/rolloutDuration: x"), String::new()),
        (format!("{rollout}: x"), format!("invalid value: x: metadata.annotations.{rollout}")),
        (format!("{rollout}: 1ms"), format!("rollout-duration=1ms is not at second precision: metadata.annotations.{rollout}")),
        (format!("{rollout}: -1s"), format!("rollout-duration=-1s must be positive: metadata.annotations.{rollout}")),
        (
            "serving.knative.dev/rolloutDuration: x".to_owned(),
            "invalid value: x: metadata.annotations.serving.knative.dev/rolloutDuration".to_owned(),
        ),
    ] {
        let metadata = format!("name: a, annotations: {{{annotation}}}");
        assert_eq!(of_service(&metadata), expect, "{annotation}");
    }
}

#[test]
fn signatures_change_only_with_the_spec() {
    let signed = |creator: &str, modifier: &str, image: &str| -> Service {
        object(&format!(
            "{{metadata: {{name: a, annotations: {{serving.knative.dev/creator: {creator}, serving.knative.dev/lastModifier: {modifier}}}}}, kind: Service, apiVersion: v, {}}}",
            SPEC.replace("a/b", image)
        ))
    };
    let old = signed("me", "me", "a/b");
    for (new, expect) in [
        (signed("me", "me", "a/b"), ""),
        (signed("me", "you", "a/c"), ""),
        (signed("me", "me", "a/c"), ""),
        (
            signed("you", "me", "a/b"),
            "annotation value is immutable: metadata.annotations.serving.knative.dev/creator",
        ),
        (
            signed("me", "you", "a/b"),
            "invalid value: you: metadata.annotations.serving.knative.dev/lastModifier",
        ),
    ] {
        let errors = with("", |ctx| validate_service(&new, Some(&old), ctx)).errors();
        assert_eq!(errors.to_string(), expect);
    }
}

#[test]
fn signatures_of_owned_objects_are_their_owners_business() {
    let route = |creator: &str, owners: &str| -> Route {
        object(&format!(
            "{{apiVersion: v, kind: Route, metadata: {{name: a, {owners} annotations: {{serving.knative.dev/creator: {creator}}}}}, spec: {{traffic: [{{percent: 100, configurationName: c}}]}}}}"
        ))
    };
    let owners = "ownerReferences: [{apiVersion: v, kind: Service, name: s, uid: u}],";
    let check = |owners| {
        let (new, old) = (route("you", owners), route("me", owners));
        with("", |ctx| validate_route(&new, Some(&old), ctx))
            .errors()
            .is_empty()
    };
    assert!(check(owners));
    assert!(!check(""));
}

#[test]
fn labels_agree_with_owners() {
    let owner = "ownerReferences: [{apiVersion: v, kind: KIND, name: x, uid: u}]";
    let configuration = |owner: &str| -> String {
        let configuration: Configuration = object(&format!(
            "{{apiVersion: v, kind: Configuration, metadata: {{name: a, labels: {{serving.knative.dev/service: x}}, {owner}}}, {SPEC}}}"
        ));
        with("", |ctx| validate_configuration(&configuration, None, ctx))
            .errors()
            .to_string()
    };
    let missing = "missing field(s): metadata.labels.serving.knative.dev/service";
    assert_eq!(configuration(&owner.replace("KIND", "Service")), "");
    assert_eq!(configuration(&owner.replace("KIND", "Route")), missing);
    assert_eq!(configuration(""), missing);
    let revision = |owner: &str| -> String {
        let revision: Revision = object(&format!(
            "{{apiVersion: v, kind: Revision, metadata: {{name: a, labels: {{serving.knative.dev/configuration: x}}, {owner}}}, spec: {{containers: [{{image: a/b}}]}}}}"
        ));
        with("", |ctx| validate_revision(&revision, None, ctx))
            .errors()
            .to_string()
    };
    assert_eq!(revision(&owner.replace("KIND", "Configuration")), "");
    assert_eq!(
        revision(&owner.replace("KIND", "Service")),
        "missing field(s): metadata.labels.serving.knative.dev/configuration"
    );
}

fn named(parent: &str, name: &str, image: &str) -> Service {
    object(&format!(
        "{{metadata: {{{parent}}}, kind: Service, apiVersion: v, spec: {{template: {{metadata: {{name: '{name}'}}, spec: {{containers: [{{image: {image}}}]}}}}, traffic: [{{percent: 100}}]}}}}"
    ))
}

#[test]
fn own_names_of_revisions_tell_whose_they_are() {
    let faults = |parent: &str, name: &str| {
        let service = named(parent, name, "a/b");
        with("", |ctx| validate_service(&service, None, ctx))
            .errors()
            .to_string()
    };
    assert_eq!(faults("name: a", "a-1"), "");
    assert_eq!(faults("name: a", ""), "");
    assert_eq!(
        faults("name: a", "b-1"),
        "invalid value: \"b-1\" must have prefix \"a-\": spec.template.metadata.name"
    );
    assert_eq!(
        faults("generateName: a-", "a-1"),
        "must not set the field(s): spec.template.metadata.name"
    );
    assert_eq!(faults("name: a, generateName: a-", "a-1"), "");
    let text = faults("name: a", "a-1.x");
    assert!(
        text.starts_with("invalid value: not a DNS 1035 label: ["),
        "{text}"
    );
    assert!(text.ends_with("]: spec.template.metadata.name"), "{text}");
}

#[test]
fn a_changed_template_needs_another_name() {
    let faults = |old: &Service, new: &Service| {
        with("", |ctx| validate_service(new, Some(old), ctx))
            .errors()
            .to_string()
    };
    let old = named("name: a", "a-1", "a/b");
    assert_eq!(faults(&old, &old), "");
    assert_eq!(faults(&old, &named("name: a", "a-2", "a/c")), "");
    assert_eq!(
        faults(&named("name: a", "", "a/b"), &named("name: a", "", "a/c")),
        ""
    );
    assert_eq!(
        faults(&old, &named("name: a", "a-1", "a/c")),
        "Saw the following changes without a name change (-old +new): spec.template.metadata.name\n{*v1.RevisionTemplateSpec}.Spec.PodSpec.Containers[0].Image:\n\t-: \"a/b\"\n\t+: \"a/c\"\n"
    );
}

#[test]
fn a_revision_never_changes_its_spec() {
    let revision = |image: &str, label: &str| -> Revision {
        object(&format!(
            "{{apiVersion: v, kind: Revision, metadata: {{name: a, labels: {{l: {label}}}}}, spec: {{containers: [{{image: {image}}}]}}}}"
        ))
    };
    let faults = |new: &Revision| {
        with("", |ctx| {
            validate_revision(new, Some(&revision("a/b", "x")), ctx)
        })
        .errors()
    };
    assert!(faults(&revision("a/b", "y")).is_empty());
    assert_eq!(
        faults(&revision("a/c", "x")).to_string(),
        "Immutable fields changed (-old +new): spec\n{v1.RevisionSpec}.PodSpec.Containers[0].Image:\n\t-: \"a/b\"\n\t+: \"a/c\"\n"
    );
}

#[test]
fn a_changed_spec_hides_other_faults() {
    let revision = |name: &str, image: &str| -> Revision {
        object(&format!(
            "{{apiVersion: v, kind: Revision, metadata: {{name: {name}}}, spec: {{containers: [{{image: {image}}}]}}}}"
        ))
    };
    let faults = |new: &Revision, old: &Revision| {
        let errors = with("", |ctx| validate_revision(new, Some(old), ctx));
        errors.to_string()
    };
    let old = revision("A", "a/b");
    assert!(faults(&old, &old).starts_with("not a DNS 1035 label"));
    assert!(faults(&revision("A", "a/c"), &old).starts_with("Immutable fields changed"));
    assert!(!faults(&revision("A", "a/c"), &old).contains("1035"));
}

#[test]
fn only_the_template_of_a_revision_has_other_annotations_checked() {
    let revision = object(
        "{apiVersion: v, kind: Revision, metadata: {name: a, annotations: {networking.knative.dev/x: y, serving.knative.dev/progress-deadline: x, autoscaling.knative.dev/window: x}}, spec: {containers: [{image: a/b}]}}",
    );
    let errors = with("", |ctx| validate_revision(&revision, None, ctx)).errors();
    assert_eq!(
        errors.to_string(),
        "invalid value: x: metadata.annotations.autoscaling.knative.dev/window"
    );
}

#[test]
fn a_configuration_has_no_rollout() {
    let configuration = object(&format!(
        "{{apiVersion: v, kind: Configuration, metadata: {{name: a, annotations: {{serving.knative.dev/rollout-duration: x}}}}, {SPEC}}}"
    ));
    let errors = with("", |ctx| validate_configuration(&configuration, None, ctx)).errors();
    assert!(errors.is_empty());
}

#[test]
fn a_status_can_be_written_whatever_the_spec() {
    let settings = crate::config::Settings::default();
    let ctx = super::ValidationContext {
        settings: &settings,
        status_only: true,
    };
    assert!(validate_service(&Service::default(), None, &ctx).is_empty());
    assert!(validate_configuration(&Configuration::default(), None, &ctx).is_empty());
}
