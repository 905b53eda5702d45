use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::reader::Reader;
use super::{ConfigError, Data};
use crate::template::{Context, Template, TemplateError};

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
        Self::read(&Reader::new(data))
    }

    pub(super) fn read(data: &Reader<'_>) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        config.read_names(data)?;
        config.read_timeouts(data)?;
        config.read_concurrency(data)?;
        config.read_resources(data)?;
        if let Some(text) = data.get("enable-service-links") {
            config.enable_service_links = match text {
                text if text.eq_ignore_ascii_case("true") => Some(true),
                text if text.eq_ignore_ascii_case("false") => Some(false),
                _ => None,
            };
        }
        match config
            .timeout_fault()
            .or_else(|| config.concurrency_fault())
        {
            Some(fault) => Err(ConfigError::Invalid(fault)),
            None => Ok(config),
        }
    }

    fn read_names(&mut self, data: &Reader<'_>) -> Result<(), ConfigError> {
        for (key, field) in [
            (
                "init-container-name-template",
                &mut self.init_container_name_template,
            ),
            ("container-name-template", &mut self.container_name_template),
        ] {
            data.with(&[key], field, |text| {
                let template = Template::parse(text)?;
                template.render(&Context::from(&ObjectMeta::default()))?;
                Ok::<_, TemplateError>(template)
            })?;
        }
        Ok(())
    }

    fn read_timeouts(&mut self, data: &Reader<'_>) -> Result<(), ConfigError> {
        let timeout = &mut self.revision_timeout_seconds;
        data.number(&["revision-timeout-seconds"], timeout)?;
        let longest = &mut self.max_revision_timeout_seconds;
        data.number(&["max-revision-timeout-seconds"], longest)?;
        self.revision_response_start_timeout_seconds = self.revision_timeout_seconds;
        for (key, field) in [
            (
                "revision-response-start-timeout-seconds",
                &mut self.revision_response_start_timeout_seconds,
            ),
            (
                "revision-idle-timeout-seconds",
                &mut self.revision_idle_timeout_seconds,
            ),
        ] {
            data.number(&[key], field)?;
            // Less than none is none.
            *field = (*field).max(0);
        }
        Ok(())
    }

    fn read_concurrency(&mut self, data: &Reader<'_>) -> Result<(), ConfigError> {
        let concurrency = &mut self.container_concurrency;
        data.number(&["container-concurrency"], concurrency)?;
        let limit = &mut self.container_concurrency_max_limit;
        data.number(&["container-concurrency-max-limit"], limit)?;
        let zero = &mut self.allow_container_concurrency_zero;
        data.boolean(&["allow-container-concurrency-zero"], zero)
    }

    fn read_resources(&mut self, data: &Reader<'_>) -> Result<(), ConfigError> {
        for (key, field) in [
            ("revision-cpu-request", &mut self.revision_cpu_request),
            ("revision-cpu-limit", &mut self.revision_cpu_limit),
            ("revision-memory-request", &mut self.revision_memory_request),
            ("revision-memory-limit", &mut self.revision_memory_limit),
            (
                "revision-ephemeral-storage-request",
                &mut self.revision_ephemeral_storage_request,
            ),
            (
                "revision-ephemeral-storage-limit",
                &mut self.revision_ephemeral_storage_limit,
            ),
        ] {
            data.quantity(&[key], field)?;
        }
        Ok(())
    }

    fn timeout_fault(&self) -> Option<String> {
        let timeout = self.revision_timeout_seconds;
        let longest = self.max_revision_timeout_seconds;
        let start = self.revision_response_start_timeout_seconds;
        let idle = self.revision_idle_timeout_seconds;
        let beyond = |what: &str, value: i64, limit: &str, most: i64| {
            format!("{what} ({value}) cannot be greater than {limit} ({most})")
        };
        if timeout > longest {
            let limit = "max-revision-timeout-seconds";
            Some(beyond("revision-timeout-seconds", timeout, limit, longest))
        } else if timeout < 0 {
            // No revision without a timeout of its own could ever be made.
            Some(format!(
                "revision-timeout-seconds ({timeout}) cannot be negative"
            ))
        } else if start > timeout {
            let key = "revision-response-start-timeout-seconds";
            Some(beyond(key, start, "revision-timeout-seconds", timeout))
        } else if idle > timeout {
            let key = "revision-idle-timeout-seconds";
            Some(beyond(key, idle, "revision-timeout-seconds", timeout))
        } else {
            None
        }
    }

    fn concurrency_fault(&self) -> Option<String> {
        let (concurrency, limit) = (
            self.container_concurrency,
            self.container_concurrency_max_limit,
        );
        if limit < 1 {
            let most = i32::MAX;
            Some(format!(
                "expected 1 <= {limit} <= {most}: container-concurrency-max-limit"
            ))
        } else if !(0..=limit).contains(&concurrency) {
            Some(format!(
                "expected 0 <= {concurrency} <= {limit}: container-concurrency"
            ))
        } else {
            None
        }
    }
}
