//! Counts what the process asks of the API server: `fermata_api_requests_total{verb,resource}`, and how
//! long the heads of the answers took: `http_client_request_duration_seconds`.
//!
//! A settled cluster makes no writes; here is where one sees whether that is so.

use std::sync::{Arc, LazyLock, OnceLock};
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request, Response};
use prometheus::{IntCounterVec, Opts, Registry};
use tokio::time::Instant;
use tower::{Layer, Service};

use crate::metrics::{Answer, Calls, Families, OldNames, Rendered, Source, method, status};

/// The resources that get a label value of their own, as `plural.group`. What else is asked for
/// may have any name: the target of a DomainMapping is the user's choice.
const KNOWN: [&str; 35] = [
    "certificates.networking.internal.knative.dev",
    "certificates.networking.internal.knative.dev/status",
    "clusterdomainclaims.networking.internal.knative.dev",
    "configmaps",
    "configurations.serving.knative.dev",
    "configurations.serving.knative.dev/status",
    "deployments.apps",
    "deployments.apps/scale",
    "domainmappings.serving.knative.dev",
    "domainmappings.serving.knative.dev/status",
    "endpoints",
    "endpointslices.discovery.k8s.io",
    "events.events.k8s.io",
    "horizontalpodautoscalers.autoscaling",
    "images.caching.internal.knative.dev",
    "ingresses.networking.internal.knative.dev",
    "ingresses.networking.internal.knative.dev/status",
    "leases.coordination.k8s.io",
    "metrics.autoscaling.internal.knative.dev",
    "metrics.autoscaling.internal.knative.dev/status",
    "namespaces",
    "podautoscalers.autoscaling.internal.knative.dev",
    "podautoscalers.autoscaling.internal.knative.dev/status",
    "pods",
    "revisions.serving.knative.dev",
    "revisions.serving.knative.dev/status",
    "routes.serving.knative.dev",
    "routes.serving.knative.dev/status",
    "secrets",
    "serverlessservices.networking.internal.knative.dev",
    "serverlessservices.networking.internal.knative.dev/status",
    "serviceaccounts",
    "services",
    "services.serving.knative.dev",
    "services.serving.knative.dev/status",
];
/// The label value of all other resources.
const OTHER: &str = "other";

static REQUESTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let options = Opts::new(
        "fermata_api_requests_total",
        "Requests to the Kubernetes API server",
    );
    IntCounterVec::new(options, &["verb", "resource"]).expect("name and labels are well-formed")
});

/// Answers by method and status.
static ANSWERS: LazyLock<Arc<Answers>> = LazyLock::new(Arc::default);
/// Under which they are registered.
const ROWS: &str = "fermata_api_answers";

/// What the API server has answered.
#[derive(Debug, Default)]
struct Answers {
    calls: Calls,
    /// What their old name begins with, and whether it is shown.
    old: OnceLock<(&'static str, OldNames)>,
}

impl Source for Answers {
    fn show(&self, families: &mut Families) {
        self.calls.show(families, &[]);
        if let Some((component, old)) = self.old.get()
            && old.shown()
        {
            let name = format!("{component}_client_latency");
            let help = "Time of requests to the Kubernetes API server, in seconds";
            let status = "response_code";
            self.calls
                .show_by_status(families, (&name, help), &[], status);
        }
    }
}

/// Shows answers under their old name, `<component>_client_latency`, while `old` says so.
pub fn show_old_names(component: &'static str, old: OldNames) {
    // A process has one name: the first stays.
    let _ = ANSWERS.old.set((component, old));
}

/// Adds them to `registry`. There is one of each in a process.
///
/// # Errors
/// When they are there already.
pub fn register(registry: &Registry) -> Result<(), prometheus::Error> {
    registry.register(Box::new(REQUESTS.clone()))?;
    Rendered::register(registry, ROWS, Arc::clone(&ANSWERS))
}

/// Counts every request on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counting;

/// A client's service whose requests are counted.
#[derive(Clone, Debug)]
pub(super) struct Counted<S> {
    inner: S,
}

impl<S> Layer<S> for Counting {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Counted { inner }
    }
}

impl<S, B, C> Service<Request<B>> for Counted<S>
where
    S: Service<Request<B>, Response = Response<C>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let target = Target::of(request.uri().path());
        REQUESTS
            .with_label_values(&[verb(&request, &target), target.label()])
            .inc();
        let (method, since) = (method(request.method()), Instant::now());
        let answered = self.inner.call(request);
        Box::pin(async move {
            let response = answered.await?;
            let status = status(response.status());
            ANSWERS
                .calls
                .note(Answer { method, status }, since.elapsed(), false);
            Ok(response)
        })
    }
}

/// What a path of the API means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Target {
    /// `plural.group/subresource`; empty for what is no resource.
    resource: String,
    /// Whether it is one object.
    is_named: bool,
}

impl Target {
    fn of(path: &str) -> Self {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let group = match parts.next() {
            Some("api") => "",
            Some("apis") => parts.next().unwrap_or_default(),
            Some(_) | None => return Self::default(),
        };
        let rest: Vec<&str> = parts.skip(1).collect();
        let (plural, name, subresource) = match rest.as_slice() {
            ["namespaces", _, plural, rest @ ..] => (*plural, rest.first(), rest.get(1)),
            [plural, rest @ ..] => (*plural, rest.first(), rest.get(1)),
            [] => return Self::default(),
        };
        let dot = if group.is_empty() { "" } else { "." };
        let slash = subresource.map_or("", |_| "/");
        let subresource = subresource.copied().unwrap_or_default();
        Self {
            resource: format!("{plural}{dot}{group}{slash}{subresource}"),
            is_named: name.is_some(),
        }
    }

    fn label(&self) -> &'static str {
        let known = KNOWN.binary_search(&self.resource.as_str());
        known.map_or(OTHER, |index| KNOWN[index])
    }
}

fn verb<B>(request: &Request<B>, target: &Target) -> &'static str {
    let watches = || {
        let query = request.uri().query().unwrap_or_default();
        query.split('&').any(|pair| pair == "watch=true")
    };
    let applies = || {
        let content = request.headers().get(CONTENT_TYPE);
        content.is_some_and(|it| it.as_bytes().starts_with(b"application/apply-patch"))
    };
    match *request.method() {
        Method::GET if watches() => "watch",
        Method::GET if target.is_named => "get",
        Method::GET => "list",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH if applies() => "apply",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::{KNOWN, Target, verb};
    use hyper::Request;

    #[test]
    fn the_known_resources_can_be_searched() {
        assert!(KNOWN.is_sorted());
    }

    #[test]
    fn a_request_is_named_by_what_it_does() {
        let ksvc = "services.serving.knative.dev";
        let ours = "/apis/serving.knative.dev/v1";
        for (method, path, content, said, resource) in [
            (
                "GET",
                format!("{ours}/services?watch=true&x=1"),
                "",
                "watch",
                ksvc,
            ),
            (
                "GET",
                format!("{ours}/namespaces/ns/services"),
                "",
                "list",
                ksvc,
            ),
            (
                "PATCH",
                format!("{ours}/namespaces/ns/services/a/status"),
                "application/json-patch+json",
                "patch",
                "services.serving.knative.dev/status",
            ),
            (
                "PATCH",
                "/api/v1/namespaces/ns/services/a".to_owned(),
                "application/apply-patch+yaml",
                "apply",
                "services",
            ),
            (
                "POST",
                "/api/v1/namespaces/ns/services".to_owned(),
                "",
                "create",
                "services",
            ),
            (
                "GET",
                "/api/v1/namespaces/ns".to_owned(),
                "",
                "get",
                "namespaces",
            ),
            (
                "GET",
                "/apis/users.example.com/v1/namespaces/ns/things/a".to_owned(),
                "",
                "get",
                "other",
            ),
            ("GET", "/version".to_owned(), "", "list", "other"),
        ] {
            let request = Request::builder().method(method).uri(&path);
            let request = request.header("content-type", content).body(()).unwrap();
            let target = Target::of(request.uri().path());
            let came = (verb(&request, &target), target.label());
            assert_eq!(came, (said, resource), "{method} {path}");
        }
    }
}
