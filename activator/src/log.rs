//! The request log: one line per request that was for a revision (config-observability).

use std::net::SocketAddr;
use std::sync::Arc;

use crds::config::ObservabilityConfig;
use http::{Request, Response};
use net::body::Body;
use net::request_log::{Asked, Identity, Logged, RequestLog};
use net::serve::Transport;
use parking_lot::RwLock;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::fleet::Member;
use crate::revision::Settings;

/// Logs requests while somebody wants that. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Log {
    current: Arc<RwLock<Option<Writing>>>,
}

#[derive(Debug)]
struct Writing {
    template: String,
    log: RequestLog,
}

/// A line that waits for its answer.
#[derive(Debug)]
pub(crate) struct Line {
    log: RequestLog,
    asked: Asked,
}

/// Marks an answer that came over TLS.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Encrypted;

// === impl Log ===

impl Log {
    /// Logs as the settings say, from the next request on.
    pub fn set(&self, config: &ObservabilityConfig) {
        let template = &config.logging_request_log_template;
        let mut current = self.current.write();
        let same = |writing: &Writing| writing.template == *template;
        match (config.logging_enable_request_log, &*current) {
            (false, None) => {}
            (true, Some(writing)) if same(writing) => {}
            (false, Some(_)) => *current = None,
            (true, _) => match RequestLog::start(Some(template)) {
                Ok(log) => {
                    let template = template.clone();
                    *current = Some(Writing { template, log });
                }
                Err(error) => warn!(%error, "can't start the request log"),
            },
        }
        info!(on = current.is_some(), "request log");
    }

    /// Opens a line, if there is to be one.
    pub(crate) fn open(
        &self,
        request: &Request<Body>,
        peer: SocketAddr,
        transport: Transport,
    ) -> Option<Line> {
        let log = self.current.read().as_ref()?.log.clone();
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let asked = Asked::new(request, peer.to_string(), transport, Instant::now());
        Some(Line { log, asked })
    }
}

// === impl Line ===

impl Line {
    /// Writes the line when `response` has ended. What went on to its pod over TLS counts as encrypted:
    /// between ingress and activator, which people want to know about, there is no wire here.
    pub(crate) fn of(mut self, response: Response<Body>, who: Arc<Identity>) -> Response<Body> {
        if response.extensions().get::<Encrypted>().is_some() {
            self.asked.went_on_encrypted();
        }
        Logged::response(response, &self.log, self.asked, who).map(Body::boxed)
    }
}

/// Who answers for a revision; which of its pods is not told.
pub(crate) fn identity(member: &Member, settings: &Settings) -> Arc<Identity> {
    Arc::new(Identity {
        namespace: member.id().namespace().to_owned(),
        service: settings.service.clone(),
        configuration: settings.configuration.clone(),
        revision: member.id().name().to_owned(),
        ..Identity::default()
    })
}
