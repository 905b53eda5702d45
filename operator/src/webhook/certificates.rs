//! Keeps the certificate in a Secret, that all replicas share, and the webhook configurations in
//! step with it (contract/control-plane 1.2).

mod secret;
mod step;

pub(crate) use secret::{certified, filled};
pub(crate) use step::{Step, next};

use std::convert::Infallible;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::{Api, PostParams};
use kube::runtime::watcher;
use runtime::kube::watch::{self as objects, Watched};
use runtime::ready::Gate;
use runtime::shutdown::Shutdown;
use runtime::tasks::Tasks;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::authority::{self, CertificateError, Certified};
use super::hooks::{HookError, Hooks};
use super::listener::Tls;

/// API servers learn of a new bundle by their watch; until then they trust the old one only.
const SETTLED: Duration = Duration::from_secs(5);
/// Between two looks: whoever undoes what we write (a GitOps tool, say) does not make us spin.
const BREATH: Duration = Duration::from_millis(100);
/// After a failed look; doubles with each further one, up to the plan's pause.
const RETRY: Duration = Duration::from_secs(1);

/// What the certificate is for and how long it lasts.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) namespace: String,
    pub(crate) service: String,
    pub(crate) secret: String,
    pub(crate) lifetime: Duration,
    /// How long before its end a certificate is replaced; less than `lifetime`.
    pub(crate) renew_before: Duration,
}

impl Plan {
    /// The name by which the API server calls us.
    pub(crate) fn server_name(&self) -> String {
        format!("{}.{}.svc", self.service, self.namespace)
    }

    /// All names of the Service.
    pub(crate) fn names(&self) -> Vec<String> {
        let full = self.server_name();
        vec![
            full.clone(),
            format!("{full}.cluster.local"),
            format!("{}.{}", self.service, self.namespace),
            self.service.clone(),
        ]
    }

    /// The longest pause between two looks: what changes is seen at once, only time goes by unseen.
    fn pause(&self) -> Duration {
        const HOUR: Duration = Duration::from_secs(3600);
        (self.renew_before / 8).clamp(BREATH, HOUR)
    }
}

/// The task that keeps Secret, server and webhook configurations in step.
pub(crate) struct Keeper {
    client: Client,
    plan: Plan,
    secret: Watched<Secret>,
    hooks: Hooks,
    tls: watch::Sender<Option<Tls>>,
    ready: Gate,
    serving: Option<Certified>,
    /// The bundle that all webhook configurations hold, and since when.
    spread: Option<(String, Instant)>,
}

#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error("the Secret can't be written")]
    Secret(#[source] kube::Error),
    #[error(transparent)]
    Hooks(#[from] HookError),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

impl Keeper {
    /// A keeper that hands certificates to `tls`, and opens `ready` when API servers can call us.
    pub(crate) fn new(
        tasks: &Tasks,
        client: Client,
        plan: Plan,
        hooks: Hooks,
        tls: watch::Sender<Option<Tls>>,
        ready: Gate,
    ) -> Self {
        let api = Api::namespaced(client.clone(), &plan.namespace);
        let only = watcher::Config::default().fields(&format!("metadata.name={}", plan.secret));
        Self {
            secret: objects::start(tasks, api, only),
            client,
            plan,
            hooks,
            tls,
            ready,
            serving: None,
            spread: None,
        }
    }

    /// Looks at every change, and from time to time, until shutdown; a failure leaves everything as
    /// it was.
    pub(crate) async fn run(mut self, shutdown: Shutdown) -> Result<(), Infallible> {
        tokio::select! {
            () = self.keep() => {}
            () = shutdown.wait() => {}
        }
        Ok(())
    }

    async fn keep(&mut self) {
        let mut secret = self.secret.changes();
        let mut hooks = self.hooks.changes();
        self.secret.wait_until_synced().await;
        self.hooks.wait_until_synced().await;
        let mut failures = 0;
        loop {
            let pause = match self.look().await {
                Ok(pause) => {
                    failures = 0;
                    pause
                }
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    warn!(%error, cause, "The webhook's certificate could not be checked");
                    failures += 1;
                    retry(failures).min(self.plan.pause())
                }
            };
            sleep(BREATH).await;
            tokio::select! {
                () = sleep(pause) => {}
                _ = secret.changed() => {}
                () = hooks.changed() => {}
            }
        }
    }

    /// One look; returns when the next one is due if nothing changes until then.
    async fn look(&mut self) -> Result<Duration, KeepError> {
        let now = Timestamp::now();
        let stored = self.secret.store().state().into_iter().next();
        let known = stored.as_deref().and_then(certified);
        let certified = match next(known.as_ref(), self.serving.as_ref(), &self.plan, now)? {
            Step::Use(certified) => certified,
            Step::Store(certified) => {
                if !self.store(stored.as_deref(), &certified).await? {
                    // Another replica was faster: its certificate comes by the watch.
                    return Ok(RETRY);
                }
                certified
            }
        };
        let changed = self.hooks.mend(&certified.authority).await?;
        self.note_spread(&certified.authority, changed);
        if let Some(wait) = self.unsettled(&certified, now) {
            return Ok(wait);
        }
        if self.serving.as_ref() != Some(&certified) {
            self.tls.send_replace(Some(authority::server(&certified)?));
            info!("Certificate and/or key have changed and were reloaded.");
            self.serving = Some(certified);
        }
        self.ready.open();
        Ok(self.plan.pause())
    }

    fn note_spread(&mut self, bundle: &str, changed: bool) {
        let same = self.spread.as_ref().is_some_and(|(old, _)| old == bundle);
        if changed || !same {
            self.spread = Some((bundle.to_owned(), Instant::now()));
        }
    }

    /// How long the old certificate must be served on, because API servers may not have seen yet
    /// that they are to trust `wanted`.
    fn unsettled(&self, wanted: &Certified, now: Timestamp) -> Option<Duration> {
        let serving = self.serving.as_ref()?;
        let changes = serving.certificate != wanted.certificate;
        let good = changes && serving.holds(&self.plan.server_name(), now);
        let (_, since) = self.spread.as_ref().filter(|_| good)?;
        let wait = SETTLED.saturating_sub(since.elapsed());
        (!wait.is_zero()).then_some(wait)
    }

    /// Writes the Secret; false when somebody else changed it meanwhile.
    async fn store(
        &self,
        stored: Option<&Secret>,
        certified: &Certified,
    ) -> Result<bool, KeepError> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.plan.namespace);
        let secret = filled(stored, certified, &self.plan);
        let params = PostParams::default();
        let written = match stored {
            Some(_) => secrets.replace(&self.plan.secret, &params, &secret).await,
            None => secrets.create(&params, &secret).await,
        };
        match written {
            Ok(_) => {
                info!(secret = self.plan.secret, "Stored a certificate");
                Ok(true)
            }
            // 404: deleted since the watch saw it.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(false),
            Err(error) => Err(KeepError::Secret(error)),
        }
    }
}

/// The pause after so many failures in a row.
fn retry(failures: u32) -> Duration {
    const LONGEST: Duration = Duration::from_secs(60);
    RETRY
        .saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)))
        .min(LONGEST)
}
