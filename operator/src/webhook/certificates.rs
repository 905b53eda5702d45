//! Keeps the certificate: in a Secret, that all replicas share (contract/control-plane 1.2).

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::{Api, ObjectMeta, PostParams};
use runtime::ready::Gate;
use runtime::shutdown::Shutdown;
use tokio::sync::watch;
use tracing::{info, warn};

use super::authority::{self, CertificateError, Certified};
use super::bundle;
use super::listener::Tls;

const KEY: &str = "server-key.pem";
const CERTIFICATE: &str = "server-cert.pem";
const AUTHORITY: &str = "ca-cert.pem";
/// When the certificate in the Secret ends. A Secret without it is not ours, and is replaced.
const NOT_AFTER: &str = "fermata.dev/not-after";

/// What the certificate is for and how long it lasts.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) namespace: String,
    pub(crate) service: String,
    pub(crate) secret: String,
    pub(crate) lifetime: Duration,
    pub(crate) renew_before: Duration,
    pub(crate) pause: Duration,
}

impl Plan {
    /// Names of the Service, as the API server may call it.
    fn names(&self) -> Vec<String> {
        let full = format!("{}.{}.svc", self.service, self.namespace);
        vec![
            full.clone(),
            format!("{full}.cluster.local"),
            format!("{}.{}", self.service, self.namespace),
            self.service.clone(),
        ]
    }
}

/// The task that keeps Secret, server and webhook configurations in step.
pub(crate) struct Keeper {
    client: Client,
    plan: Plan,
    tls: watch::Sender<Option<Tls>>,
    ready: Gate,
    current: Option<Certified>,
}

#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error("the API server refused")]
    Api(#[from] kube::Error),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

impl Keeper {
    pub(crate) fn new(
        client: Client,
        plan: Plan,
        tls: watch::Sender<Option<Tls>>,
        ready: Gate,
    ) -> Self {
        Self {
            client,
            plan,
            tls,
            ready,
            current: None,
        }
    }

    /// Looks again and again until shutdown; a failure leaves everything as it was.
    pub(crate) async fn run(mut self, shutdown: Shutdown) -> Result<(), Infallible> {
        let mut pauses = tokio::time::interval(self.plan.pause);
        loop {
            tokio::select! {
                _ = pauses.tick() => {}
                () = shutdown.wait() => return Ok(()),
            }
            if let Err(error) = self.look().await {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                warn!(%error, cause, "The webhook's certificate could not be checked");
            }
        }
    }

    async fn look(&mut self) -> Result<(), KeepError> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.plan.namespace);
        let now = Timestamp::now();
        let stored = secrets.get_opt(&self.plan.secret).await?;
        let certified = match usable(stored.as_ref(), now, self.plan.renew_before) {
            Some(certified) => certified,
            None => match self.renew(&secrets, stored, now).await? {
                Some(certified) => certified,
                // Another replica was faster: its certificate is read in the next pass.
                None => return Ok(()),
            },
        };
        if self.current.as_ref() != Some(&certified) {
            self.tls.send_replace(Some(authority::server(&certified)?));
            info!("Certificate and/or key have changed and were reloaded.");
        }
        bundle::spread(&self.client, &certified.authority).await?;
        self.current = Some(certified);
        self.ready.open();
        Ok(())
    }

    /// Stores a new certificate; nothing when somebody else changed the Secret meanwhile.
    async fn renew(
        &self,
        secrets: &Api<Secret>,
        stored: Option<Secret>,
        now: Timestamp,
    ) -> Result<Option<Certified>, KeepError> {
        let mut fresh = authority::make(self.plan.names(), now, self.plan.lifetime)?;
        if let Some(before) = stored.as_ref().and_then(certified) {
            fresh
                .authority
                .push_str(authority::newest(&before.authority));
            fresh.authority.push('\n');
        }
        let secret = secret(&self.plan, stored.as_ref(), &fresh, now);
        let params = PostParams::default();
        let written = match stored {
            Some(_) => secrets.replace(&self.plan.secret, &params, &secret).await,
            None => secrets.create(&params, &secret).await,
        };
        match written {
            Ok(_) => Ok(Some(fresh)),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// What the Secret holds, if it can be used and does not end soon.
pub(crate) fn usable(
    secret: Option<&Secret>,
    now: Timestamp,
    renew_before: Duration,
) -> Option<Certified> {
    let secret = secret?;
    let end: Timestamp = secret
        .metadata
        .annotations
        .as_ref()?
        .get(NOT_AFTER)?
        .parse()
        .ok()?;
    let early = SignedDuration::try_from(renew_before).ok()?;
    let certified =
        certified(secret).filter(|_| now.saturating_add(early).is_ok_and(|t| t < end))?;
    authority::server(&certified).is_ok().then_some(certified)
}

fn certified(secret: &Secret) -> Option<Certified> {
    let data = secret.data.as_ref()?;
    let text = |key| String::from_utf8(data.get(key)?.0.clone()).ok();
    Some(Certified {
        key: text(KEY)?,
        certificate: text(CERTIFICATE)?,
        authority: text(AUTHORITY)?,
    })
}

/// The Secret to store: the one that is there, with the new content and its resource version.
pub(crate) fn secret(
    plan: &Plan,
    stored: Option<&Secret>,
    fresh: &Certified,
    now: Timestamp,
) -> Secret {
    let mut secret = stored.cloned().unwrap_or_else(|| Secret {
        metadata: ObjectMeta {
            name: Some(plan.secret.clone()),
            namespace: Some(plan.namespace.clone()),
            ..ObjectMeta::default()
        },
        ..Secret::default()
    });
    let lifetime = SignedDuration::try_from(plan.lifetime).unwrap_or(SignedDuration::ZERO);
    let end = now.saturating_add(lifetime).unwrap_or(now);
    let annotations = secret.metadata.annotations.get_or_insert_default();
    annotations.insert(NOT_AFTER.to_owned(), end.to_string());
    let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
    secret.data = Some(BTreeMap::from([
        (KEY.to_owned(), bytes(&fresh.key)),
        (CERTIFICATE.to_owned(), bytes(&fresh.certificate)),
        (AUTHORITY.to_owned(), bytes(&fresh.authority)),
    ]));
    secret
}
