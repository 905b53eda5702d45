use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::reader::{Reader, boolean};
use super::{ConfigError, Data};
use crate::template::Template;

/// config-defaults: what a template gets where it says nothing, and its limits.
#[derive(Clone, Debug, PartialEq)]
pub struct DefaultsConfig {
    /// Longest time for one request, seconds.
    pub revision_timeout_seconds: i64,
    /// Most that a revision may ask for as its timeout, seconds.
    pub max_revision_timeout_seconds: i64,
    /// Longest time until the answer starts, seconds.
    pub revision_response_start_timeout_seconds: i64,
    /// Longest pause in the answer, seconds; 0 is off.
    pub revision_idle_timeout_seconds: i64,
    /// Processor that a container asks for.
    pub revision_cpu_request: Option<Quantity>,
    /// Processor that a container may take.
    pub revision_cpu_limit: Option<Quantity>,
    /// Memory that a container asks for.
    pub revision_memory_request: Option<Quantity>,
    /// Memory that a container may take.
    pub revision_memory_limit: Option<Quantity>,
    /// Disk that a container asks for.
    pub revision_ephemeral_storage_request: Option<Quantity>,
    /// Disk that a container may take.
    pub revision_ephemeral_storage_limit: Option<Quantity>,
    /// Name of a container without one; the template may name the parent's metadata.
    pub container_name_template: Template,
    /// Name of an init container without one.
    pub init_container_name_template: Template,
    /// Most requests that one pod gets at once; 0 is no limit.
    pub container_concurrency: i64,
    /// Most that a revision may ask for as its containerConcurrency.
    pub container_concurrency_max_limit: i64,
    /// Whether a revision may ask for no limit.
    pub allow_container_concurrency_zero: bool,
    /// enableServiceLinks of new pods; nothing leaves it to Kubernetes.
    pub enable_service_links: Option<bool>,
}

impl Default for DefaultsConfig {
    fn default() -> Self {
        Self {
            revision_timeout_seconds: 300,
            max_revision_timeout_seconds: 600,
            revision_response_start_timeout_seconds: 300,
            revision_idle_timeout_seconds: 0,
            revision_cpu_request: None,
            revision_cpu_limit: None,
            revision_memory_request: None,
            revision_memory_limit: None,
            revision_ephemeral_storage_request: None,
            revision_ephemeral_storage_limit: None,
            container_name_template: Template::literal("user-container"),
            init_container_name_template: Template::literal("init-container"),
            container_concurrency: 0,
            container_concurrency_max_limit: 1000,
            allow_container_concurrency_zero: true,
            enable_service_links: Some(false),
        }
    }
}

impl DefaultsConfig {
    /// Reads the data of config-defaults.
    pub fn parse(data: &Data) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        let data = Reader(data);
        config.read_timeouts(&data)?;
        config.read_resources(&data)?;
        data.template(
            &["container-name-template"],
            &mut config.container_name_template,
        )?;
        data.template(
            &["init-container-name-template"],
            &mut config.init_container_name_template,
        )?;
        data.number(
            &["container-concurrency"],
            &mut config.container_concurrency,
        )?;
        let limit = &mut config.container_concurrency_max_limit;
        data.number(&["container-concurrency-max-limit"], limit)?;
        let zero = &mut config.allow_container_concurrency_zero;
        data.boolean(&["allow-container-concurrency-zero"], zero)?;
        if let Some((_, text)) = data.get(&["enable-service-links"]) {
            config.enable_service_links = boolean(text);
        }
        config.check()?;
        Ok(config)
    }

    fn read_timeouts(&mut self, data: &Reader<'_>) -> Result<(), ConfigError> {
        data.number(
            &["revision-timeout-seconds"],
            &mut self.revision_timeout_seconds,
        )?;
        data.number(
            &["max-revision-timeout-seconds"],
            &mut self.max_revision_timeout_seconds,
        )?;
        self.revision_response_start_timeout_seconds = self.revision_timeout_seconds;
        data.number(
            &["revision-response-start-timeout-seconds"],
            &mut self.revision_response_start_timeout_seconds,
        )?;
        data.number(
            &["revision-idle-timeout-seconds"],
            &mut self.revision_idle_timeout_seconds,
        )
    }

    fn read_resources(&mut self, data: &Reader<'_>) -> Result<(), ConfigError> {
        data.quantity(&["revision-cpu-request"], &mut self.revision_cpu_request)?;
        data.quantity(&["revision-cpu-limit"], &mut self.revision_cpu_limit)?;
        data.quantity(
            &["revision-memory-request"],
            &mut self.revision_memory_request,
        )?;
        data.quantity(&["revision-memory-limit"], &mut self.revision_memory_limit)?;
        data.quantity(
            &["revision-ephemeral-storage-request"],
            &mut self.revision_ephemeral_storage_request,
        )?;
        data.quantity(
            &["revision-ephemeral-storage-limit"],
            &mut self.revision_ephemeral_storage_limit,
        )
    }

    fn check(&self) -> Result<(), ConfigError> {
        let timeout = self.revision_timeout_seconds;
        let start = self.revision_response_start_timeout_seconds;
        let idle = self.revision_idle_timeout_seconds;
        let least = i64::from(!self.allow_container_concurrency_zero);
        let (concurrency, most) = (
            self.container_concurrency,
            self.container_concurrency_max_limit,
        );
        let fault = if timeout > self.max_revision_timeout_seconds {
            format!(
                "revision-timeout-seconds ({timeout}) cannot be greater than max-revision-timeout-seconds ({})",
                self.max_revision_timeout_seconds
            )
        } else if timeout <= 0 {
            format!("revision-timeout-seconds ({timeout}) must be positive")
        } else if start > timeout || start < 0 {
            format!(
                "revision-response-start-timeout-seconds ({start}) cannot be greater than revision-timeout-seconds ({timeout}) or negative"
            )
        } else if idle > timeout || idle < 0 {
            format!(
                "revision-idle-timeout-seconds ({idle}) cannot be greater than revision-timeout-seconds ({timeout}) or negative"
            )
        } else if most < 1 {
            format!("container-concurrency-max-limit ({most}) must be at least 1")
        } else if concurrency < least || concurrency > most {
            format!("container-concurrency ({concurrency}) must be in [{least}, {most}]")
        } else {
            return Ok(());
        };
        Err(ConfigError::Invalid(fault))
    }
}
