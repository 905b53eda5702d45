use std::collections::BTreeSet;

use crds::autoscaling::{Metric, PodAutoscaler};
use crds::certificate::Certificate;
use crds::configuration::Configuration;
use crds::domain_mapping::DomainMapping;
use crds::networking::{Ingress, ServerlessService};
use crds::revision::Revision;
use crds::route::Route;
use crds::service::Service;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration, WebhookClientConfig,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, OwnerReference};
use kube::Resource;

use crate::webhook::hooks::{CONFIG_VALIDATION, DEFAULTING, RESOURCE_VALIDATION, Wanted, mended};

fn wanted() -> Wanted {
    let owner = OwnerReference {
        api_version: "v1".to_owned(),
        kind: "Namespace".to_owned(),
        name: "system".to_owned(),
        uid: "u-1".to_owned(),
        ..OwnerReference::default()
    };
    Wanted {
        namespace: "system".to_owned(),
        service: "webhook".to_owned(),
        owner: Some(owner),
    }
}

fn shipped() -> MutatingWebhookConfiguration {
    serde_yaml::from_str(DEFAULTING).unwrap()
}

fn settled() -> MutatingWebhookConfiguration {
    mended(None, &shipped(), &wanted(), "bundle").unwrap()
}

fn mend(current: &MutatingWebhookConfiguration) -> Option<MutatingWebhookConfiguration> {
    mended(Some(current), &shipped(), &wanted(), "bundle")
}

#[test]
fn the_bundle_is_written_once() {
    let installed = shipped();
    let written = mend(&installed).unwrap();
    let client = &written.webhooks.as_ref().unwrap()[0].client_config;
    assert_eq!(client.ca_bundle.as_ref().unwrap().0, b"bundle");
    assert_eq!(client.service.as_ref().unwrap().namespace, "system");
    assert_eq!(written.metadata.owner_references.as_ref().unwrap().len(), 1);
    assert_eq!(mend(&written), None);
    assert_eq!(written, settled());
}

#[test]
fn what_we_depend_on_is_repaired() {
    type Edit = fn(&mut MutatingWebhookConfiguration);
    let edits: [(&str, Edit); 8] = [
        ("bundle", |c| hook(c).client_config.ca_bundle = None),
        ("service", |c| {
            hook(c).client_config = WebhookClientConfig {
                url: Some("https://elsewhere".to_owned()),
                ..WebhookClientConfig::default()
            };
        }),
        ("rules", |c| hook(c).rules = None),
        ("a rule", |c| {
            hook(c).rules.as_mut().unwrap().pop();
        }),
        ("selector", |c| {
            hook(c).namespace_selector = Some(LabelSelector::default());
        }),
        ("reinvocation", |c| {
            hook(c).reinvocation_policy = Some("Never".to_owned());
        }),
        ("webhook", |c| c.webhooks = None),
        ("owner", |c| c.metadata.owner_references = None),
    ];
    for (name, edit) in edits {
        let mut edited = settled();
        edit(&mut edited);
        assert_eq!(mend(&edited), Some(settled()), "{name}");
    }
}

fn hook(
    configuration: &mut MutatingWebhookConfiguration,
) -> &mut k8s_openapi::api::admissionregistration::v1::MutatingWebhook {
    &mut configuration.webhooks.as_mut().unwrap()[0]
}

#[test]
fn what_is_the_users_stays() {
    let mut edited = settled();
    let mut foreign = hook(&mut edited).clone();
    foreign.name = "mine.example.com".to_owned();
    foreign.client_config.ca_bundle = None;
    hook(&mut edited).failure_policy = Some("Ignore".to_owned());
    hook(&mut edited).timeout_seconds = Some(3);
    let selector = hook(&mut edited).namespace_selector.as_mut().unwrap();
    selector.match_labels = Some([("a".to_owned(), "b".to_owned())].into());
    edited.webhooks.as_mut().unwrap().insert(0, foreign);
    assert_eq!(mend(&edited), None);
}

#[test]
fn a_deleted_one_comes_back_only_if_it_will_end_with_us() {
    let without = Wanted {
        owner: None,
        ..wanted()
    };
    assert!(mended(None, &shipped(), &wanted(), "bundle").is_some());
    assert_eq!(mended(None, &shipped(), &without, "bundle"), None);
    let installed = mended(Some(&shipped()), &shipped(), &without, "bundle").unwrap();
    assert_eq!(installed.metadata.owner_references, None);
}

#[test]
fn the_names_and_paths_are_those_that_people_know() {
    let validating =
        |yaml| -> ValidatingWebhookConfiguration { serde_yaml::from_str(yaml).unwrap() };
    let (resources, settings) = (
        validating(RESOURCE_VALIDATION),
        validating(CONFIG_VALIDATION),
    );
    let path = |client: &WebhookClientConfig| client.service.clone().unwrap().path.unwrap();
    let hook = &shipped().webhooks.unwrap()[0];
    assert_eq!(hook.name, "webhook.serving.knative.dev");
    assert_eq!(path(&hook.client_config), "/defaulting");
    for (configuration, name, expected) in [
        (
            &resources,
            "validation.webhook.serving.knative.dev",
            "/resource-validation",
        ),
        (
            &settings,
            "config.webhook.serving.knative.dev",
            "/config-validation",
        ),
    ] {
        let hook = &configuration.webhooks.as_ref().unwrap()[0];
        assert_eq!(configuration.metadata.name.as_deref(), Some(name));
        assert_eq!(hook.name, name);
        assert_eq!(path(&hook.client_config), expected);
    }
    let rules = resources.webhooks.unwrap()[0].rules.clone();
    assert_eq!(rules, hook.rules);
}

#[test]
fn the_rules_name_every_kind_and_its_status() {
    let mut expected = BTreeSet::new();
    expect::<Service>(&mut expected);
    expect::<Configuration>(&mut expected);
    expect::<Revision>(&mut expected);
    expect::<Route>(&mut expected);
    expect::<DomainMapping>(&mut expected);
    expect::<PodAutoscaler>(&mut expected);
    expect::<Metric>(&mut expected);
    expect::<Ingress>(&mut expected);
    expect::<ServerlessService>(&mut expected);
    expect::<Certificate>(&mut expected);
    let mut named = BTreeSet::new();
    for rule in shipped().webhooks.unwrap()[0].rules.iter().flatten() {
        assert_eq!(
            rule.operations.as_deref(),
            Some(&["CREATE".to_owned(), "UPDATE".to_owned()][..])
        );
        for group in rule.api_groups.iter().flatten() {
            for version in rule.api_versions.iter().flatten() {
                for resource in rule.resources.iter().flatten() {
                    named.insert(format!("{group}/{version}/{resource}"));
                }
            }
        }
    }
    let old: BTreeSet<_> = named.difference(&expected).collect();
    assert!(
        old.iter()
            .all(|rule| rule.starts_with("serving.knative.dev/v1alpha1/")),
        "{old:?}"
    );
    assert!(named.is_superset(&expected));
}

fn expect<K: Resource<DynamicType = ()>>(rules: &mut BTreeSet<String>) {
    let (group, version, plural) = (K::group(&()), K::version(&()), K::plural(&()));
    rules.insert(format!("{group}/{version}/{plural}"));
}
