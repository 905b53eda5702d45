//! The three paths over HTTP.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::routing::post;
use axum::{Json, Router};
use crds::config::Settings;
use tokio::sync::watch;
use tracing::debug;

use super::review::{Answer, Question, Request, Verdict};
use super::{admission, config_map, dry_run};

/// The API server sends both the old and the new object, each up to 3 MiB.
const LONGEST_BODY: usize = 8 << 20;

/// What the handlers read.
pub(crate) struct Server {
    pub(crate) settings: watch::Receiver<Arc<Settings>>,
    pub(crate) pods: dry_run::Pods,
}

impl Server {
    fn settings(&self) -> Arc<Settings> {
        self.settings.borrow().clone()
    }
}

/// The paths that the webhook configurations name.
pub(crate) fn router(server: Arc<Server>) -> Router {
    Router::new()
        .route("/defaulting", post(defaulting))
        .route("/resource-validation", post(resource_validation))
        .route("/config-validation", post(config_validation))
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .with_state(server)
}

async fn defaulting(
    State(server): State<Arc<Server>>,
    Json(question): Json<Question>,
) -> Json<Answer> {
    answer(
        &question,
        admission::fill_in(&question.request, &server.settings()),
    )
}

async fn resource_validation(
    State(server): State<Arc<Server>>,
    Json(question): Json<Question>,
) -> Json<Answer> {
    let request = &question.request;
    let verdict = match admission::validate(request, &server.settings()) {
        Verdict::Allowed { patch, warnings } => match server.pods.fault(request).await {
            Some(reason) => Verdict::Denied { reason, warnings },
            None => Verdict::Allowed { patch, warnings },
        },
        denied @ Verdict::Denied { .. } => denied,
    };
    answer(&question, verdict)
}

async fn config_validation(Json(question): Json<Question>) -> Json<Answer> {
    answer(&question, config_map::validate(&question.request))
}

fn answer(question: &Question, verdict: Verdict) -> Json<Answer> {
    let Request {
        uid,
        kind,
        namespace,
        name,
        ..
    } = &question.request;
    if let Verdict::Denied { reason, .. } = &verdict {
        debug!(%namespace, %name, kind = %kind.kind, %reason, "Denied");
    }
    Json(Answer::new(&question.api_version, uid, verdict))
}
