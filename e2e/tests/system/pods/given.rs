//! How an app is started.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use e2e::namespace::{Space, in_namespace};
use e2e::subject::Subject;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde_json::{Map, Value, json};

/// Memory and processor time that a container is given, where cgroups of either version say it.
const MEMORY: [&str; 2] = [
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
];
const QUOTA: [&str; 2] = [
    "/sys/fs/cgroup/cpu.max",
    "/sys/fs/cgroup/cpu/cpu.cfs_quota_us",
];

#[tokio::test]
async fn an_app_is_started_as_its_spec_says() -> Result<()> {
    in_namespace("given", async |space| {
        let share = "queue.sidecar.serving.knative.dev/resource-percentage";
        let subject = Subject::new(space, "given").annotation(share, "40");
        let subject = subject.container(json!({
            "command": ["/ko-app/subject", "abra"],
            "args": ["cadabra", "$(PORT)", "--quoted=a b"],
            "workingDir": "/tmp",
            "ports": [{ "containerPort": 8801 }],
            "securityContext": { "runAsUser": 2020 },
            "resources": {
                "limits": { "cpu": "1", "memory": "128Mi" },
                "requests": { "cpu": "125m", "memory": "128Mi" },
            },
        }));
        let service = space.start(subject).await?;
        let query = reads(MEMORY.iter().chain(&QUOTA));
        let facts = space.facts(&service, &query).await?;
        let args = json!(["/ko-app/subject", "abra", "cadabra", "8801", "--quoted=a b"]);
        ensure!(facts["args"] == args, "{facts:?}");
        ensure!(facts["directory"] == "/tmp", "{facts:?}");
        ensure!(facts["user"] == 2020, "{facts:?}");
        ensure!(facts["env"]["PORT"] == "8801", "{facts:?}");
        let memory = either(&facts, &MEMORY)?;
        ensure!(
            memory.trim() == (128 << 20).to_string(),
            "memory {memory:?}"
        );
        let quota = either(&facts, &QUOTA)?;
        let mut quota = quota.split_whitespace();
        ensure!(
            quota.next() == Some("100000"),
            "of the processor: {quota:?}"
        );
        let sidecar = sidecar_requests(space).await?;
        ensure!(sidecar["cpu"].0 == "50m", "{sidecar:?}");
        Ok(())
    })
    .await
}

/// What the sidecar of the only pod asks for.
async fn sidecar_requests(space: &Space) -> Result<BTreeMap<String, Quantity>> {
    let pod = space.pods_of("given").await?.pop().context("no pod")?;
    let containers = pod.spec.context("no spec")?.containers;
    let mut containers = containers.into_iter();
    let sidecar = containers.find(|container| container.name == "queue-proxy");
    let requests = sidecar.and_then(|sidecar| sidecar.resources?.requests);
    requests.context("the sidecar asks for nothing")
}

#[tokio::test]
async fn an_app_is_given_what_every_app_is() -> Result<()> {
    in_namespace("promised", async |space| {
        let service = space.start(Subject::new(space, "app")).await?;
        let devices = [
            "/dev/null",
            "/dev/zero",
            "/dev/full",
            "/dev/random",
            "/dev/urandom",
        ];
        let stat = devices
            .iter()
            .chain(["/tmp", "/dev/fd", "/dev/console", "/dev/tty"].iter());
        let stat: Vec<_> = stat.map(|file| format!("stat={file}")).collect();
        let read = reads(
            [
                "/dev/stdin",
                "/etc/hosts",
                "/etc/resolv.conf",
                "/etc/hostname",
            ]
            .iter(),
        );
        let open = "open=/proc/sys/net/ipv4/ip_forward&open=/sys/fs/cgroup/cgroup.procs";
        let facts = space
            .facts(&service, &format!("{}&{read}&{open}", stat.join("&")))
            .await?;
        for (name, value) in [
            ("K_SERVICE", "app"),
            ("K_CONFIGURATION", "app"),
            ("K_REVISION", "app-00001"),
            ("PORT", "8080"),
        ] {
            ensure!(facts["env"][name] == value, "{name}: {facts:?}");
        }
        // The image says so; nobody else has a say.
        ensure!(facts["user"] == 65532, "{facts:?}");
        ensure!(
            facts["read"]["/dev/stdin"] == "",
            "standard input: {facts:?}"
        );
        for device in devices {
            ensure!(
                facts["stat"][device]["kind"] == "device",
                "{device}: {facts:?}"
            );
        }
        ensure!(facts["stat"]["/tmp"]["mode"] == "1777", "{facts:?}");
        ensure!(
            facts["stat"]["/dev/console"]["error"].is_string(),
            "a console: {facts:?}"
        );
        for file in ["/etc/hosts", "/etc/resolv.conf", "/etc/hostname"] {
            ensure!(facts["read"][file].is_string(), "{file}: {facts:?}");
        }
        for (file, said) in facts["open"].as_object().context("no files")? {
            ensure!(said["error"].is_string(), "{file} is {said}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn config_maps_and_secrets_become_variables() -> Result<()> {
    in_namespace("variables", async |space| {
        sources(space).await?;
        let subject = Subject::new(space, "app").container(json!({
            "env": [
                { "name": "FROM_MAP", "valueFrom": { "configMapKeyRef": { "name": "plain", "key": "color" } } },
                { "name": "FROM_SECRET", "valueFrom": { "secretKeyRef": { "name": "hidden", "key": "word" } } },
                { "name": "ABSENT", "valueFrom": { "configMapKeyRef": { "name": "none", "key": "x", "optional": true } } },
            ],
            "envFrom": [
                { "configMapRef": { "name": "plain" } },
                { "secretRef": { "name": "hidden" }, "prefix": "MY_" },
                { "secretRef": { "name": "none", "optional": true } },
            ],
        }));
        let service = space.start(subject).await?;
        let env = space.facts(&service, "").await?["env"].take();
        for (name, value) in [
            ("FROM_MAP", json!("blue")),
            ("FROM_SECRET", json!("sesame")),
            ("color", json!("blue")),
            ("MY_word", json!("sesame")),
            ("ABSENT", Value::Null),
        ] {
            ensure!(env[name] == value, "{name}: {env}");
        }
        Ok(())
    })
    .await
}

/// A ConfigMap `plain` and a Secret `hidden`, each with one key.
pub(super) async fn sources(space: &Space) -> Result<()> {
    let plain: ConfigMap = serde_json::from_value(json!({
        "metadata": { "name": "plain" }, "data": { "color": "blue" },
    }))?;
    let hidden: Secret = serde_json::from_value(json!({
        "metadata": { "name": "hidden" }, "stringData": { "word": "sesame" },
    }))?;
    space.apply(&plain).await?;
    space.apply(&hidden).await?;
    Ok(())
}

fn reads<'a>(files: impl Iterator<Item = &'a &'a str>) -> String {
    files
        .map(|file| format!("read={file}"))
        .collect::<Vec<_>>()
        .join("&")
}

/// The content of the one of `files` that is there.
fn either<'a>(facts: &'a Map<String, Value>, files: &[&str]) -> Result<&'a str> {
    let mut found = files.iter().filter_map(|file| facts["read"][file].as_str());
    found
        .next()
        .with_context(|| format!("none of {files:?}: {:?}", facts["read"]))
}
