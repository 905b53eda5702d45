//! Nobody is refused because of the webhook's own affairs: certificates that end, replicas that die,
//! hands that delete what it needs.

mod deployment;

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::admission::{Admissions, SECRET, Webhook};
use e2e::cluster::SYSTEM;
use e2e::namespace::{Space, in_namespace};
use e2e::wait::{Seen, until};
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration, WebhookClientConfig,
};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use deployment::{identities, restore, scale, settled, with_short_certificates};

const WEBHOOK: &str = "webhook";
const PODS: &str = "app=webhook";
const PERIOD: Duration = Duration::from_millis(40);
const LIMIT: Duration = Duration::from_secs(60);
/// A certificate lives this long in the test, and is replaced at half of it.
const LIFETIME: Duration = Duration::from_secs(24);
const RENEWALS: usize = 3;
/// How late an API server may learn of a new bundle.
const LATE: Duration = Duration::from_secs(2);
const MUTATING: &str = "webhook.serving.knative.dev";
const VALIDATING: [&str; 2] = [
    "validation.webhook.serving.knative.dev",
    "config.webhook.serving.knative.dev",
];

#[tokio::test]
async fn certificates_are_replaced_while_requests_go_on() -> Result<()> {
    in_namespace("certificates", async |space| {
        let system = Space::existing(space.cluster.clone(), SYSTEM);
        let containers = with_short_certificates(&system, LIFETIME).await?;
        let verdict = renewals(space, &system).await;
        restore(&system, containers).await?;
        verdict
    })
    .await
}

async fn renewals(space: &Space, system: &Space) -> Result<()> {
    settled(system).await?;
    let pods = identities(system).await?;
    let questions = Admissions::start(space, PERIOD);
    let (stop, stopped) = watch::channel(());
    let handshakes = tokio::spawn(shake_hands(system.clone(), stopped));
    // So it gets the first certificate that does not live long.
    system
        .api::<Secret>()
        .delete(SECRET, &DeleteParams::default())
        .await?;
    let mut last = renewed(system, "").await?;
    let start = Instant::now();
    for renewal in 1..=RENEWALS {
        last = renewed(system, &last).await?;
        println!("renewal {renewal} after {} ms", start.elapsed().as_millis());
    }
    ensure!(
        start.elapsed() > LIFETIME,
        "no certificate has ended meanwhile"
    );
    sleep(LIFETIME / 3).await;
    let outcome = questions.stop().await?;
    drop(stop);
    println!(
        "{RENEWALS} renewals: {outcome}; {} handshakes",
        handshakes.await??
    );
    outcome.all_good()?;
    ensure!(
        identities(system).await? == pods,
        "a pod was replaced or restarted"
    );
    Ok(())
}

/// Connects again and again, as an API server would that has just seen the bundle, and as one that
/// has not seen yet what others saw two seconds ago. Each must trust what is served.
async fn shake_hands(system: Space, stopped: watch::Receiver<()>) -> Result<usize> {
    let mut views: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
    let mut count = 0;
    while stopped.has_changed().is_ok() {
        let clients = clients(&system).await?;
        let (_, client) = clients.first().context("no webhook")?;
        let newest = client.ca_bundle.clone().unwrap_or_default().0;
        views.push_back((Instant::now(), newest.clone()));
        while views.get(1).is_some_and(|(seen, _)| seen.elapsed() > LATE) {
            views.pop_front();
        }
        let oldest = views.front().map_or(&newest, |(_, bundle)| bundle);
        for (view, bundle) in [("newest", &newest), ("oldest", oldest)] {
            let webhook = Webhook::trusted(&system, bundle).await?;
            webhook
                .connect()
                .await
                .with_context(|| format!("with the {view} bundle"))?;
            count += 1;
        }
        sleep(PERIOD).await;
    }
    Ok(count)
}

/// The certificate in the Secret once it is another than `last`, and all configurations trust it.
async fn renewed(system: &Space, last: &str) -> Result<String> {
    let new = until("a new certificate", LIMIT, async || {
        let secret = system.api::<Secret>().get(SECRET).await?;
        let certificate = part(&secret, "server-cert.pem")?;
        if certificate == last {
            return Ok(Seen::NotYet("the old one".to_owned()));
        }
        Ok(Seen::Done(certificate))
    });
    let new = new.await?;
    trusted(system).await?;
    Ok(new)
}

fn part(secret: &Secret, key: &str) -> Result<String> {
    let data = secret.data.as_ref().and_then(|data| data.get(key));
    let data = data.with_context(|| format!("no {key} in the Secret"))?;
    Ok(String::from_utf8_lossy(&data.0).into_owned())
}

/// Waits until every webhook configuration has the bundle of the Secret.
async fn trusted(system: &Space) -> Result<Duration> {
    let start = Instant::now();
    until("all configurations trust the Secret", LIMIT, async || {
        let bundle = part(&system.api::<Secret>().get(SECRET).await?, "ca-cert.pem")?;
        for (name, client) in clients(system).await? {
            let current = client.ca_bundle.unwrap_or_default().0;
            if current != bundle.as_bytes() {
                return Ok(Seen::NotYet(format!("{name} does not")));
            }
        }
        Ok(Seen::Done(()))
    })
    .await?;
    Ok(start.elapsed())
}

async fn clients(system: &Space) -> Result<Vec<(String, WebhookClientConfig)>> {
    let client = &system.cluster.client;
    let mutating: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
    let validating: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    let mut clients = Vec::new();
    for hook in mutating.get(MUTATING).await?.webhooks.unwrap_or_default() {
        clients.push((hook.name, hook.client_config));
    }
    for name in VALIDATING {
        for hook in validating.get(name).await?.webhooks.unwrap_or_default() {
            clients.push((hook.name, hook.client_config));
        }
    }
    ensure!(clients.len() == 3, "{} webhooks", clients.len());
    Ok(clients)
}

#[tokio::test]
async fn of_two_replicas_one_dies_and_nobody_notices() -> Result<()> {
    in_namespace("replicas", async |space| {
        let system = Space::existing(space.cluster.clone(), SYSTEM);
        let before = scale(&system, 2).await?;
        let verdict = together(space, &system).await;
        scale(&system, before).await?;
        system.available(WEBHOOK, LIMIT).await?;
        verdict
    })
    .await
}

async fn together(space: &Space, system: &Space) -> Result<()> {
    settled(system).await?;
    let questions = Admissions::start(space, PERIOD);
    system
        .api::<Secret>()
        .delete(SECRET, &DeleteParams::default())
        .await?;
    let made = renewed(system, "").await?;
    sleep(Duration::from_secs(8)).await;
    ensure!(
        renewed(system, "").await? == made,
        "the replicas fight over the Secret"
    );
    let outcome = questions.stop().await?;
    println!("two pods, one new certificate: {outcome}");
    outcome.all_good()?;
    deaths(space, system).await
}

async fn deaths(space: &Space, system: &Space) -> Result<()> {
    for grace in [None, Some(0)] {
        settled(system).await?;
        let questions = Admissions::start(space, PERIOD);
        // Long enough for the API server to have connections to both.
        sleep(Duration::from_secs(5)).await;
        let pods = system.pods(PODS).await?;
        let victim = pods.first().context("no pod")?.name_any();
        let params = DeleteParams {
            grace_period_seconds: grace,
            ..DeleteParams::default()
        };
        system.api::<Pod>().delete(&victim, &params).await?;
        until("the pod has gone", LIMIT, async || {
            match system.api::<Pod>().get_opt(&victim).await? {
                None => Ok(Seen::Done(())),
                Some(_) => Ok(Seen::NotYet("it is there".to_owned())),
            }
        })
        .await?;
        system.available(WEBHOOK, LIMIT).await?;
        sleep(Duration::from_secs(5)).await;
        let outcome = questions.stop().await?;
        println!("one of two pods deleted, grace {grace:?}: {outcome}");
        outcome.all_good()?;
    }
    Ok(())
}

#[tokio::test]
async fn what_somebody_breaks_is_repaired_without_a_restart() -> Result<()> {
    in_namespace("repairs", async |space| {
        let system = Space::existing(space.cluster.clone(), SYSTEM);
        settled(&system).await?;
        let pods = identities(&system).await?;
        let questions = Admissions::start(space, PERIOD);
        let secrets = system.api::<Secret>();
        let damage = json!({ "data": { "ca-cert.pem": "Z2FyYmFnZQ==", "server-key.pem": null } });
        secrets
            .patch(SECRET, &PatchParams::default(), &Patch::Merge(damage))
            .await?;
        println!(
            "a damaged Secret: {} ms",
            trusted(&system).await?.as_millis()
        );
        secrets.delete(SECRET, &DeleteParams::default()).await?;
        println!(
            "a deleted Secret: {} ms",
            trusted(&system).await?.as_millis()
        );
        sleep(Duration::from_secs(8)).await;
        let outcome = questions.stop().await?;
        println!("Secret damaged, then deleted: {outcome}");
        outcome.all_good()?;

        let client = &system.cluster.client;
        edited(
            &system,
            Api::<MutatingWebhookConfiguration>::all(client.clone()),
            MUTATING,
        )
        .await?;
        for name in VALIDATING {
            edited(
                &system,
                Api::<ValidatingWebhookConfiguration>::all(client.clone()),
                name,
            )
            .await?;
        }
        ensure!(
            identities(&system).await? == pods,
            "a pod was replaced or restarted"
        );
        Ok(())
    })
    .await
}

/// Takes bundle and rules away, then the whole configuration.
async fn edited<K>(system: &Space, api: Api<K>, name: &str) -> Result<()>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug,
    K: serde::de::DeserializeOwned + serde::Serialize,
{
    trusted(system).await?;
    let whole = essence(&api.get(name).await?)?;
    let mut wiped = whole.clone();
    let fields = wiped[0].as_object_mut().context("no webhook")?;
    fields.remove("rules");
    fields["clientConfig"]["caBundle"] = Value::Null;
    let wiped = Patch::Merge(json!({ "webhooks": wiped }));
    api.patch(name, &PatchParams::default(), &wiped).await?;
    let start = Instant::now();
    whole_again(&api, name, &whole).await?;
    println!("{name} edited: {} ms", start.elapsed().as_millis());
    api.delete(name, &DeleteParams::default()).await?;
    let start = Instant::now();
    whole_again(&api, name, &whole).await?;
    println!("{name} deleted: {} ms", start.elapsed().as_millis());
    Ok(())
}

async fn whole_again<K>(api: &Api<K>, name: &str, whole: &Value) -> Result<()>
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned + serde::Serialize,
{
    until(&format!("{name} is whole"), LIMIT, async || {
        let current = essence(&api.get(name).await?)?;
        if current == *whole {
            return Ok(Seen::Done(()));
        }
        Ok(Seen::NotYet(current.to_string()))
    })
    .await
}

fn essence(configuration: &impl serde::Serialize) -> Result<Value> {
    let object = serde_json::to_value(configuration)?;
    Ok(object.get("webhooks").cloned().unwrap_or_default())
}
