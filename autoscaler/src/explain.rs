//! "Why this scale?": the last decisions about a revision, as JSON for programs and as a table
//! for people. The page is here; the command that asks for it is [`run`].

mod absence;
mod question;
mod table;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use net::contract::port;
use runtime::kube::lease::Share;
use serde::Deserialize;

use crate::ask::ask;
use crate::history::Histories;
use crate::id::RevisionId;
use crate::peers::address_in;

pub use absence::Absence;
pub use question::{ExplainError, Options, run};
pub use table::table;

/// Longest wait for the autoscaler's answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where explanations come from.
#[derive(Clone, Debug)]
pub struct Sources {
    /// What was decided here.
    pub histories: Arc<Histories>,
    /// Which revisions are scaled by whom.
    pub share: Share,
    /// Our own address.
    pub own: IpAddr,
}

/// The page `/explain/{namespace}/{revision}`. All replicas decide, but only the one that scales a
/// revision knows what was written; so that one is asked, if it answers.
pub fn routes(sources: Sources) -> Router {
    Router::new()
        .route("/explain/{namespace}/{revision}", get(page))
        .with_state(sources)
}

async fn page(
    State(sources): State<Sources>,
    Path((namespace, name)): Path<(String, String)>,
    Query(question): Query<Question>,
) -> Response {
    let id = RevisionId::new(namespace, name);
    if let (Some(holder), false) = (sources.other_holder(&id), question.here) {
        let holder = SocketAddr::new(holder, port::ADMIN).to_string();
        if let Ok((StatusCode::OK, body)) = ask(&holder, &path(&id, true), &[], PATIENCE).await {
            return ([(CONTENT_TYPE, "application/json")], body).into_response();
        }
    }
    match sources.histories.of(&id) {
        Some(lines) => Json(lines).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

#[derive(Debug, Deserialize)]
struct Question {
    /// Asked by another replica: not to be passed on.
    #[serde(default)]
    here: bool,
}

impl Sources {
    /// The replica that scales the revision, if it is not us.
    fn other_holder(&self, id: &RevisionId) -> Option<IpAddr> {
        let holder = self.share.holder(&id.namespace, &id.name)?;
        address_in(&holder).filter(|address| *address != self.own)
    }
}

fn path(id: &RevisionId, here: bool) -> String {
    let RevisionId { namespace, name } = id;
    format!("/explain/{namespace}/{name}?here={here}")
}
