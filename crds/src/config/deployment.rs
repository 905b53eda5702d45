use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::reader::Reader;
use super::{ConfigError, Data, yaml};
use crate::duration::Nanos;
use crate::validation::names::{is_label_value, is_qualified, subdomain};

/// config-deployment: how pods of revisions are made.
#[derive(Clone, Debug, PartialEq)]
pub struct DeploymentConfig {
    /// Image of the sidecar. Empty only before the map was read.
    pub queue_sidecar_image: String,
    /// Registries whose images keep their tag.
    pub registries_skipping_tag_resolving: BTreeSet<String>,
    /// Longest time to ask a registry for one digest.
    pub digest_resolution_timeout: Duration,
    /// How long a Deployment may take to progress.
    pub progress_deadline: Duration,
    /// Processor that the sidecar asks for.
    pub queue_sidecar_cpu_request: Option<Quantity>,
    /// Processor that the sidecar may take.
    pub queue_sidecar_cpu_limit: Option<Quantity>,
    /// Memory that the sidecar asks for.
    pub queue_sidecar_memory_request: Option<Quantity>,
    /// Memory that the sidecar may take.
    pub queue_sidecar_memory_limit: Option<Quantity>,
    /// Disk that the sidecar asks for.
    pub queue_sidecar_ephemeral_storage_request: Option<Quantity>,
    /// Disk that the sidecar may take.
    pub queue_sidecar_ephemeral_storage_limit: Option<Quantity>,
    /// Audiences of the tokens that the sidecar gets.
    pub queue_sidecar_token_audiences: BTreeSet<String>,
    /// PEM bundle of certificate authorities for the sidecar.
    pub queue_sidecar_rootca: String,
    /// Lowest TLS version of the sidecar; empty is its default.
    pub queue_sidecar_tls_min_version: String,
    /// Highest TLS version of the sidecar; empty is its default.
    pub queue_sidecar_tls_max_version: String,
    /// TLS ciphers of the sidecar; empty is its default.
    pub queue_sidecar_tls_cipher_suites: String,
    /// TLS curves of the sidecar; empty is its default.
    pub queue_sidecar_tls_curve_preferences: String,
    /// How pods of one revision spread over nodes.
    pub default_affinity_type: AffinityType,
    /// Runtime classes and the labels of revisions that get them.
    pub runtime_class_name: BTreeMap<String, RuntimeClass>,
    /// Whether an unschedulable pod is expected to be schedulable soon.
    pub pod_is_always_schedulable: bool,
}

/// How pods of one revision spread over nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AffinityType {
    /// Prefer nodes without a pod of the revision.
    #[default]
    PreferSpreadRevisionOverNodes,
    /// No preference.
    None,
}

/// Which revisions get a runtime class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuntimeClass {
    /// Labels that a revision must have; empty matches all.
    pub selector: BTreeMap<String, String>,
}

impl Default for DeploymentConfig {
    fn default() -> Self {
        let skipped = ["kind.local", "ko.local", "dev.local"];
        Self {
            queue_sidecar_image: String::new(),
            registries_skipping_tag_resolving: skipped.map(str::to_owned).into(),
            digest_resolution_timeout: Duration::from_secs(10),
            progress_deadline: Duration::from_secs(600),
            queue_sidecar_cpu_request: Some(Quantity("25m".to_owned())),
            queue_sidecar_cpu_limit: None,
            queue_sidecar_memory_request: None,
            queue_sidecar_memory_limit: None,
            queue_sidecar_ephemeral_storage_request: None,
            queue_sidecar_ephemeral_storage_limit: None,
            queue_sidecar_token_audiences: BTreeSet::new(),
            queue_sidecar_rootca: String::new(),
            queue_sidecar_tls_min_version: String::new(),
            queue_sidecar_tls_max_version: String::new(),
            queue_sidecar_tls_cipher_suites: String::new(),
            queue_sidecar_tls_curve_preferences: String::new(),
            default_affinity_type: AffinityType::default(),
            runtime_class_name: BTreeMap::new(),
            pod_is_always_schedulable: false,
        }
    }
}

impl DeploymentConfig {
    /// Reads the data of config-deployment. The sidecar's image must be there.
    pub fn parse(data: &Data) -> Result<Self, ConfigError> {
        Self::read(&Reader::new(data))
    }

    pub(super) fn read(data: &Reader<'_>) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        config.read_pods(data)?;
        config.read_sidecar(data);
        config.read_resources(data)?;
        if config.queue_sidecar_image.is_empty() {
            let fault = "queue-sidecar-image cannot be empty or unset";
            return Err(ConfigError::Invalid(fault.to_owned()));
        }
        Ok(config)
    }

    /// The runtime class for a revision with `labels`: the one that names most of them, else the
    /// first by name.
    pub fn runtime_class_for(&self, labels: &BTreeMap<String, String>) -> Option<&str> {
        let matching = self.runtime_class_name.iter().filter(|(_, class)| {
            class
                .selector
                .iter()
                .all(|(key, value)| labels.get(key) == Some(value))
        });
        let best = matching.rev().max_by_key(|(_, class)| class.selector.len());
        best.map(|(name, _)| name.as_str())
    }

    fn read_pods(&mut self, data: &Reader<'_>) -> Result<(), ConfigError> {
        let positive = |it: Nanos| (it.0 <= 0).then_some("cannot be a non-positive duration");
        data.set(
            &[
                "registries-skipping-tag-resolving",
                "registriesSkippingTagResolving",
            ],
            &mut self.registries_skipping_tag_resolving,
        );
        data.duration(
            &["digest-resolution-timeout", "digestResolutionTimeout"],
            &mut self.digest_resolution_timeout,
            positive,
        )?;
        data.duration(
            &["progress-deadline", "progressDeadline"],
            &mut self.progress_deadline,
            |it| {
                let fraction = !it.is_whole_seconds();
                let fraction = fraction.then_some("must be rounded to a whole second");
                positive(it).or(fraction)
            },
        )?;
        if let Some(text) = data.get("default-affinity-type") {
            self.default_affinity_type = affinity(text)?;
        }
        data.with(
            &["runtime-class-name"],
            &mut self.runtime_class_name,
            runtime_classes,
        )?;
        let schedulable = &mut self.pod_is_always_schedulable;
        data.boolean(&["pod-is-always-schedulable"], schedulable)
    }

    fn read_sidecar(&mut self, data: &Reader<'_>) {
        let image = &mut self.queue_sidecar_image;
        data.text(&["queue-sidecar-image", "queueSidecarImage"], image);
        let audiences = &mut self.queue_sidecar_token_audiences;
        data.set(&["queue-sidecar-token-audiences"], audiences);
        for (key, field) in [
            ("queue-sidecar-rootca", &mut self.queue_sidecar_rootca),
            (
                "queue-sidecar-tls-min-version",
                &mut self.queue_sidecar_tls_min_version,
            ),
            (
                "queue-sidecar-tls-max-version",
                &mut self.queue_sidecar_tls_max_version,
            ),
            (
                "queue-sidecar-tls-cipher-suites",
                &mut self.queue_sidecar_tls_cipher_suites,
            ),
            (
                "queue-sidecar-tls-curve-preferences",
                &mut self.queue_sidecar_tls_curve_preferences,
            ),
        ] {
            data.text(&[key], field);
        }
    }

    fn read_resources(&mut self, data: &Reader<'_>) -> Result<(), ConfigError> {
        for (keys, field) in [
            (
                ["queue-sidecar-cpu-request", "queueSidecarCPURequest"],
                &mut self.queue_sidecar_cpu_request,
            ),
            (
                ["queue-sidecar-cpu-limit", "queueSidecarCPULimit"],
                &mut self.queue_sidecar_cpu_limit,
            ),
            (
                ["queue-sidecar-memory-request", "queueSidecarMemoryRequest"],
                &mut self.queue_sidecar_memory_request,
            ),
            (
                ["queue-sidecar-memory-limit", "queueSidecarMemoryLimit"],
                &mut self.queue_sidecar_memory_limit,
            ),
            (
                [
                    "queue-sidecar-ephemeral-storage-request",
                    "queueSidecarEphemeralStorageRequest",
                ],
                &mut self.queue_sidecar_ephemeral_storage_request,
            ),
            (
                [
                    "queue-sidecar-ephemeral-storage-limit",
                    "queueSidecarEphemeralStorageLimit",
                ],
                &mut self.queue_sidecar_ephemeral_storage_limit,
            ),
        ] {
            data.quantity(&keys, field)?;
        }
        Ok(())
    }
}

fn affinity(text: &str) -> Result<AffinityType, ConfigError> {
    match text {
        "prefer-spread-revision-over-nodes" => Ok(AffinityType::PreferSpreadRevisionOverNodes),
        "none" => Ok(AffinityType::None),
        other => Err(ConfigError::Invalid(format!(
            "unsupported default-affinity-type value: {other:?}"
        ))),
    }
}

fn runtime_classes(text: &str) -> Result<BTreeMap<String, RuntimeClass>, String> {
    let value = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
    let classes = yaml::entries(value)?.into_iter();
    classes
        .map(|(name, class)| runtime_class(name, class))
        .collect()
}

fn runtime_class(name: String, class: serde_yaml::Value) -> Result<(String, RuntimeClass), String> {
    let faults = subdomain(&name);
    if !faults.is_empty() {
        return Err(format!(
            "{name} is not a DNS subdomain: {}",
            faults.join("; ")
        ));
    }
    let selector = yaml::labels(yaml::fields_of(class)?.remove("selector"))?;
    let fault = selector
        .iter()
        .find(|(key, value)| !is_qualified(key) || !is_label_value(value));
    match fault {
        Some((key, value)) => Err(format!("{name}: {key}: {value} can't be a label")),
        None => Ok((name, RuntimeClass { selector })),
    }
}
