//! What the settings of the system allow, while they do.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::networking::Ingress;
use crds::revision::Revision;
use e2e::client::get;
use e2e::namespace::{Space, in_namespace};
use e2e::service::{READY, host};
use e2e::subject::Subject;
use e2e::system::System;
use e2e::wait::{Seen, until};
use http::HeaderValue;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::LogParams;
use serde_json::{Value, json};

const FEATURES: &str = "config-features";
const SOON: Duration = Duration::from_secs(60);

async fn allowed(
    test: &str,
    flag: &str,
    body: impl AsyncFnOnce(&Space) -> Result<()>,
) -> Result<()> {
    in_namespace(test, async |space| {
        let system = System::of(&space.cluster);
        let changes = [(flag, "Enabled")];
        system
            .with_settings(FEATURES, &changes, async || body(space).await)
            .await
    })
    .await
}

/// Applies `subject` as soon as the webhook has heard of the change.
async fn start(space: &Space, subject: Subject) -> Result<crds::service::Service> {
    let service = subject.build()?;
    until("it is admitted", SOON, async || {
        Ok(Seen::Done(space.apply(&service).await?))
    })
    .await?;
    space.ready("app", READY).await
}

#[tokio::test]
async fn a_header_chooses_a_tag() -> Result<()> {
    allowed("tag-header", "tag-header-based-routing", async |space| {
        let version = |text: &str| {
            let name = json!({ "name": format!("app-{text}") });
            Subject::new(space, "app")
                .env("RESOURCE", text)
                .revision(name)
        };
        start(space, version("one")).await?;
        let traffic = json!([
            { "revisionName": "app-one", "percent": 0, "tag": "rev1" },
            { "revisionName": "app-two", "percent": 100, "tag": "rev2" },
        ]);
        let service = start(space, version("two").traffic(traffic)).await?;
        space
            .shows("app", "it knows the header", SOON, |ingress: &Ingress| {
                serde_json::to_string(ingress)
                    .is_ok_and(|text| text.contains("Knative-Serving-Tag"))
            })
            .await?;
        space.ready("app", READY).await?;
        for (tag, text) in [
            (Some("rev1"), "one"),
            (Some("rev2"), "two"),
            (Some("wrong"), "two"),
            (None, "two"),
        ] {
            for _ in 0..20 {
                let mut request = get(host(&service)?, "/")?;
                if let Some(tag) = tag {
                    let tag = HeaderValue::from_static(tag);
                    request.headers_mut().insert("knative-serving-tag", tag);
                }
                let answer = space.cluster.gateway.send(request).await?;
                ensure!(answer.status == 200, "{tag:?}: {answer:?}");
                ensure!(answer.body == text, "{tag:?}: {}", answer.body);
            }
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_init_container_prepares_what_the_app_finds() -> Result<()> {
    allowed(
        "init",
        "kubernetes.podspec-init-containers",
        async |space| {
            let mounts = json!([{ "name": "prepared", "mountPath": "/prepared" }]);
            let command = ["/ko-app/subject", "write", "/prepared/note", "before you"];
            let image = space.cluster.subject_image();
            let init = json!({
                "name": "first", "image": image, "command": command, "volumeMounts": mounts,
            });
            let subject = Subject::new(space, "app")
                .container(json!({ "volumeMounts": mounts }))
                .spec(json!({
                    "initContainers": [init],
                    "volumes": [{ "name": "prepared", "emptyDir": {} }],
                }));
            let service = start(space, subject).await?;
            let facts = space.facts(&service, "read=/prepared/note").await?;
            ensure!(facts["read"]["/prepared/note"] == "before you", "{facts:?}");
            let revision = space.api::<Revision>().get("app-00001").await?;
            let statuses = revision
                .status
                .context("no status")?
                .init_container_statuses;
            ensure!(
                statuses.len() == 1 && statuses[0].name == "first",
                "{statuses:?}"
            );
            ensure!(
                statuses[0].image_digest.contains("@sha256:"),
                "{statuses:?}"
            );
            Ok(())
        },
    )
    .await
}

/// All kinds of probes, and then one neighbour that is well no more.
#[tokio::test]
async fn a_pod_is_ready_only_while_all_its_containers_are() -> Result<()> {
    allowed("neighbours", "multi-container-probing", async |space| {
        let listen = |port: u16| json!([{ "name": "LISTEN", "value": port.to_string() }]);
        let health = json!({ "path": "/healthz/ready", "port": 8884 });
        let subject = Subject::new(space, "app")
            .annotation("autoscaling.knative.dev/min-scale", "1")
            .container(json!({ "ports": [{ "containerPort": 8080 }] }))
            .sidecar(json!({
                "env": listen(8882), "readinessProbe": { "tcpSocket": { "port": 8882 } },
            }))
            .sidecar(json!({
                "env": listen(8883), "readinessProbe": { "grpc": { "port": 8883 } },
            }))
            .sidecar(json!({
                "env": [{ "name": "LISTEN", "value": "8884" }, { "name": "START_DELAY", "value": "3000" }],
                "readinessProbe": { "httpGet": health, "periodSeconds": 1, "failureThreshold": 3 },
            }));
        let service = start(space, subject).await?;
        space.text(&service, "/").await?;
        space.text(&service, "/call?url=http://127.0.0.1:8884/fail/ready").await?;
        until("no pod is ready", SOON, async || {
            match space.addresses("app-00001-private").await? {
                0 => Ok(Seen::Done(())),
                count => Ok(Seen::NotYet(format!("{count} are ready"))),
            }
        })
        .await
    })
    .await
}

/// One line of JSON a request, and one a probe, on the sidecar's standard output.
#[tokio::test]
async fn requests_are_logged_when_that_is_asked_for() -> Result<()> {
    in_namespace("logged", async |space| {
        let changes = [
            ("logging.enable-request-log", "true"),
            ("logging.enable-probe-request-log", "true"),
        ];
        let system = System::of(&space.cluster);
        let body = async || {
            let kept =
                Subject::new(space, "app").annotation("autoscaling.knative.dev/min-scale", "1");
            let service = start(space, kept).await?;
            until("both kinds are logged", SOON, async || {
                space.ask(&service, "/asked").await?;
                let lines = logged(space).await?;
                let paths = lines.iter().map(|line| &line["httpRequest"]);
                let of = |agent: &str, path: &str| {
                    let mut paths = paths.clone();
                    paths.any(|request| {
                        let named = request["userAgent"].as_str().unwrap_or_default();
                        named.starts_with(agent) && request["requestUrl"] == path
                    })
                };
                if of("", "/asked") && of("kube-probe/", "/") {
                    return Ok(Seen::Done(()));
                }
                Ok(Seen::NotYet(format!("{lines:?}")))
            })
            .await
        };
        system
            .with_settings("config-observability", &changes, body)
            .await
    })
    .await
}

/// The lines of JSON that the sidecars of `app` have written.
async fn logged(space: &Space) -> Result<Vec<Value>> {
    let params = LogParams {
        container: Some("queue-proxy".to_owned()),
        ..LogParams::default()
    };
    let mut lines = Vec::new();
    for pod in space.pods_of("app").await? {
        let log = space.api::<Pod>().logs(&pod.name_any(), &params).await?;
        lines.extend(
            log.lines()
                .filter_map(|line| serde_json::from_str(line).ok()),
        );
    }
    Ok(lines)
}

/// With settings that keep none of them.
#[tokio::test]
async fn revisions_that_nobody_reaches_are_collected() -> Result<()> {
    in_namespace("collected", async |space| {
        let changes = [
            ("retain-since-create-time", "disabled"),
            ("retain-since-last-active-time", "disabled"),
            ("min-non-active-revisions", "0"),
            ("max-non-active-revisions", "0"),
        ];
        let system = System::of(&space.cluster);
        let body = async || {
            start(space, Subject::new(space, "app").env("RESOURCE", "one")).await?;
            let service = start(space, Subject::new(space, "app").env("RESOURCE", "two")).await?;
            until("the first revision is gone", SOON, async || {
                Ok(match space.api::<Revision>().get_opt("app-00001").await? {
                    Some(_) => Seen::NotYet("it is there".to_owned()),
                    None => Seen::Done(()),
                })
            })
            .await?;
            ensure!(space.text(&service, "/").await? == "two");
            Ok(())
        };
        system.with_settings("config-gc", &changes, body).await
    })
    .await
}
