//! Services of tests: how they are made, and what is waited for.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use crds::condition;
use crds::name::serving;
use crds::revision::{RevisionSpec, RevisionTemplate};
use crds::route::TrafficTarget;
use crds::service::{Service, ServiceSpec, ServiceStatus};
use k8s_openapi::api::core::v1::{Container, EnvVar, Pod, PodSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::client::{Answer, host_of};
use crate::namespace::Space;
use crate::wait::{Seen, until};

/// How long a Service may take until it is Ready. A loaded machine of two cores needs its time.
pub const READY: Duration = Duration::from_secs(90);
/// How long a Service with [`SHORT_WINDOW`] may take to lose its last pod.
pub const TO_ZERO: Duration = Duration::from_secs(60);
/// The shortest window that the API allows.
pub const SHORT_WINDOW: &str = "6s";

/// A Service of one container.
#[derive(Clone, Debug)]
pub struct Wanted {
    name: String,
    image: String,
    revision: Option<String>,
    env: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    timeout: Option<i64>,
    cpu: Option<Quantity>,
    automount_token: Option<bool>,
    traffic: Vec<TrafficTarget>,
}

// === impl Wanted ===

impl Wanted {
    /// A Service `name` of `image`.
    pub fn new(name: &str, image: String) -> Self {
        Self {
            name: name.to_owned(),
            image,
            revision: None,
            env: BTreeMap::new(),
            annotations: BTreeMap::new(),
            timeout: None,
            cpu: None,
            automount_token: None,
            traffic: Vec::new(),
        }
    }

    /// A Service `name` in `space` that answers with `text`, and goes to zero soon.
    pub fn answering(space: &Space, name: &str, text: &str) -> Self {
        Self::new(name, space.cluster.hello_image())
            .env("RESOURCE", text)
            .annotation("autoscaling.knative.dev/window", SHORT_WINDOW)
    }

    /// The name of the revision.
    #[must_use]
    pub fn revision(mut self, name: &str) -> Self {
        self.revision = Some(name.to_owned());
        self
    }

    /// A variable in the container's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// An annotation of the revision.
    #[must_use]
    pub fn annotation(mut self, name: &str, value: &str) -> Self {
        self.annotations.insert(name.to_owned(), value.to_owned());
        self
    }

    /// No token of a service account: kubelet has less to ask for before the pod starts.
    #[must_use]
    pub fn without_token(mut self) -> Self {
        self.automount_token = Some(false);
        self
    }

    /// How many seconds a request may take.
    #[must_use]
    pub fn timeout(mut self, seconds: i64) -> Self {
        self.timeout = Some(seconds);
        self
    }

    /// The CPU that the container asks for: without it nobody can say how much of it is used.
    #[must_use]
    pub fn cpu(mut self, quantity: &str) -> Self {
        self.cpu = Some(Quantity(quantity.to_owned()));
        self
    }

    /// `percent` of the traffic for `revision`, which gets the host of `tag`, too.
    #[must_use]
    pub fn share(mut self, tag: &str, revision: &str, percent: i64) -> Self {
        self.traffic.push(TrafficTarget {
            tag: Some(tag.to_owned()),
            revision_name: Some(revision.to_owned()),
            percent: Some(percent),
            ..TrafficTarget::default()
        });
        self
    }

    /// The object to apply.
    pub fn build(self) -> Service {
        let env = self.env.into_iter().map(|(name, value)| EnvVar {
            name,
            value: Some(value),
            ..EnvVar::default()
        });
        let container = Container {
            image: Some(self.image),
            env: Some(env.collect()),
            resources: self.cpu.map(|cpu| ResourceRequirements {
                requests: Some(BTreeMap::from([("cpu".to_owned(), cpu)])),
                ..ResourceRequirements::default()
            }),
            ..Container::default()
        };
        let spec = RevisionSpec {
            timeout_seconds: self.timeout,
            pod: PodSpec {
                containers: vec![container],
                automount_service_account_token: self.automount_token,
                ..PodSpec::default()
            },
            ..RevisionSpec::default()
        };
        let metadata = ObjectMeta {
            name: self.revision,
            // An empty map would be stored as null by a second server-side apply, and refused.
            annotations: Some(self.annotations).filter(|annotations| !annotations.is_empty()),
            ..ObjectMeta::default()
        };
        let template = RevisionTemplate {
            metadata: Some(metadata),
            spec,
        };
        Service::new(
            &self.name,
            ServiceSpec {
                template,
                traffic: self.traffic,
            },
        )
    }
}

// === impl Space ===

impl Space {
    /// Applies `wanted` and waits until it is Ready.
    pub async fn deploy(&self, wanted: Wanted) -> Result<Service> {
        let name = wanted.name.clone();
        self.apply(&wanted.build()).await?;
        self.ready(&name, READY).await
    }

    /// Waits until the Service `name` is Ready at its newest generation.
    pub async fn ready(&self, name: &str, limit: Duration) -> Result<Service> {
        until(&format!("Service {name} Ready"), limit, async || {
            let service = self.api::<Service>().get(name).await?;
            let status = service.status.clone().unwrap_or_default();
            let generation = service.metadata.generation;
            if condition::is_ready(&status.conditions, status.observed_generation, generation) {
                return Ok(Seen::Done(service));
            }
            Ok(Seen::NotYet(verdicts(&status)))
        })
        .await
    }

    /// Waits until the Service `name` has failed at its newest generation; tells its conditions.
    pub async fn failed(&self, name: &str, limit: Duration) -> Result<String> {
        until(&format!("Service {name} failed"), limit, async || {
            let service = self.api::<Service>().get(name).await?;
            let status = service.status.clone().unwrap_or_default();
            let generation = service.metadata.generation;
            let said = verdicts(&status);
            if condition::is_failed(&status.conditions, status.observed_generation, generation) {
                return Ok(Seen::Done(said));
            }
            Ok(Seen::NotYet(said))
        })
        .await
    }

    /// The pods of the Service `name`, leaving ones too.
    pub async fn pods_of(&self, name: &str) -> Result<Vec<Pod>> {
        self.pods(&format!("{}={name}", serving::SERVICE)).await
    }

    /// Waits until the Service `name` has no pod, not even a leaving one.
    pub async fn at_zero(&self, name: &str) -> Result<()> {
        self.gone::<Pod>(&format!("{}={name}", serving::SERVICE), TO_ZERO)
            .await
    }

    /// `GET path` of the Service.
    pub async fn ask(&self, service: &Service, path: &str) -> Result<Answer> {
        self.cluster.gateway.get(host(service)?, path).await
    }
}

/// The host of a Service that is Ready.
pub fn host(service: &Service) -> Result<&str> {
    let url = service
        .status
        .as_ref()
        .and_then(|status| status.url.as_deref());
    host_of(url.context("the Service has no URL")?)
}

/// The host of a tag of a Service that is Ready.
pub fn tag_host<'a>(service: &'a Service, tag: &str) -> Result<&'a str> {
    let mut targets = service
        .status
        .iter()
        .flat_map(|status| status.traffic.iter());
    let target = targets.find(|target| target.tag.as_deref() == Some(tag));
    let url = target.and_then(|target| target.url.as_deref());
    host_of(url.with_context(|| format!("the tag {tag} has no URL"))?)
}

/// All conditions in one line.
pub fn verdicts(status: &ServiceStatus) -> String {
    if status.conditions.is_empty() {
        return "no conditions".to_owned();
    }
    let lines = status.conditions.iter().map(|condition| {
        format!(
            "{} {}",
            condition.type_,
            condition::Truth::of(Some(condition))
        )
    });
    lines.collect::<Vec<_>>().join("; ")
}
