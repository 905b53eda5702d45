//! The three paths over HTTP.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::routing::post;
use axum::{Json, Router};
use crds::config::Settings;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::debug;

use super::body::{Asked, Room};
use super::metrics::{self, Admissions};
use super::review::{Answer, Question, Request, Verdict};
use super::{admission, config_map, dry_run};

/// What the handlers read.
pub(crate) struct Server {
    pub(crate) settings: watch::Receiver<Arc<Settings>>,
    pub(crate) pods: dry_run::Pods,
    pub(crate) room: Room,
    pub(crate) admissions: Arc<Admissions>,
}

impl Server {
    fn settings(&self) -> Arc<Settings> {
        self.settings.borrow().clone()
    }

    fn note(&self, asked: metrics::Asked, question: &Question, verdict: &Verdict, since: Instant) {
        let took = since.elapsed();
        self.admissions
            .note(asked, &question.request, verdict, took);
    }
}

/// The paths that the webhook configurations name.
pub(crate) fn router(server: Arc<Server>) -> Router {
    Router::new()
        .route("/defaulting", post(defaulting))
        .route("/resource-validation", post(resource_validation))
        .route("/config-validation", post(config_validation))
        .fallback(elsewhere)
        .with_state(server)
}

async fn elsewhere(uri: Uri) -> (StatusCode, String) {
    let text = format!("there is no webhook at {}", uri.path());
    (StatusCode::BAD_REQUEST, text)
}

async fn defaulting(State(server): State<Arc<Server>>, asked: Asked) -> Json<Answer> {
    let question = &asked.question;
    let since = Instant::now();
    let verdict = admission::fill_in(&question.request, &server.settings());
    server.note(metrics::Asked::Defaulting, question, &verdict, since);
    answer(question, verdict)
}

async fn resource_validation(State(server): State<Arc<Server>>, asked: Asked) -> Json<Answer> {
    let (request, since) = (&asked.question.request, Instant::now());
    let verdict = match admission::validate(request, &server.settings()) {
        Verdict::Allowed { patch, warnings } => match server.pods.fault(request).await {
            Some(reason) => Verdict::Denied { reason, warnings },
            None => Verdict::Allowed { patch, warnings },
        },
        denied @ Verdict::Denied { .. } => denied,
    };
    server.note(metrics::Asked::Validation, &asked.question, &verdict, since);
    answer(&asked.question, verdict)
}

async fn config_validation(State(server): State<Arc<Server>>, asked: Asked) -> Json<Answer> {
    let (question, since) = (&asked.question, Instant::now());
    let verdict = config_map::validate(&question.request);
    server.note(metrics::Asked::Settings, question, &verdict, since);
    answer(question, verdict)
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
