//! "Why this scale?": the last decisions about a revision, as JSON for programs and as a table
//! for people.

use std::fmt::Write as _;
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
use serde::{Deserialize, Serialize};

use crate::ask::{AskError, ask};
use crate::history::{Histories, Line};
use crate::id::RevisionId;
use crate::peers::address_in;

/// Longest wait for the autoscaler's answer.
const PATIENCE: Duration = Duration::from_secs(5);
const HEADINGS: [&str; 10] = [
    "SINCE", "LAST", "TIMES", "READY", "STABLE", "PANIC", "TARGET", "WANTED", "WRITTEN", "BECAUSE",
];
/// Shown where a number is unknown.
const UNKNOWN: &str = "-";

/// Why there is no explanation.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// No answer.
    #[error("the autoscaler does not answer")]
    Ask(#[from] AskError),
    /// The autoscaler does not tend the revision.
    #[error("the autoscaler knows no revision {0}")]
    Unknown(RevisionId),
    /// An answer that is none of ours.
    #[error("the autoscaler answers with status {0}")]
    Status(StatusCode),
    /// An answer of another release.
    #[error("the autoscaler's answer can't be read")]
    Unreadable(#[from] serde_json::Error),
}

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

/// Asks the autoscaler at `address` about a revision, and draws the answer.
///
/// # Errors
/// See [`ExplainError`].
pub async fn explain(address: &str, id: RevisionId) -> Result<String, ExplainError> {
    match ask(address, &path(&id, false), &[], PATIENCE).await? {
        (StatusCode::OK, body) => Ok(table(&serde_json::from_slice::<Vec<Line>>(&body)?)),
        (StatusCode::NOT_FOUND, _) => Err(ExplainError::Unknown(id)),
        (other, _) => Err(ExplainError::Status(other)),
    }
}

/// The lines as an aligned table, oldest first.
pub fn table(lines: &[Line]) -> String {
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(lines.iter().map(row));
    let widths: Vec<usize> = (0..HEADINGS.len())
        .map(|column| {
            rows.iter()
                .map(|row| row[column].len())
                .max()
                .unwrap_or_default()
        })
        .collect();
    let mut table = String::new();
    for row in rows {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        // Writing to a string can't fail.
        let _ = writeln!(table, "{}", line.trim_end());
    }
    table
}

fn row(line: &Line) -> [String; HEADINGS.len()] {
    let account = &line.account;
    let load = |value: Option<f64>| value.map_or(UNKNOWN.to_owned(), |value| format!("{value:.2}"));
    let pods = |pods: Option<u32>| pods.map_or(UNKNOWN.to_owned(), |pods| pods.to_string());
    [
        line.since.strftime("%H:%M:%S").to_string(),
        line.until.strftime("%H:%M:%S").to_string(),
        line.times.to_string(),
        format!("{}/{}", account.ready, pods(account.replicas)),
        load(account.load.map(|load| load.stable)),
        load(account.load.map(|load| load.panic)),
        format!("{:.2}", account.target),
        pods(account.wanted),
        pods(account.written),
        because(line),
    ]
}

/// The rule, and what else bound the number.
fn because(line: &Line) -> String {
    let account = &line.account;
    let mut because = word(&account.rule);
    if let Some(passage) = account.passage {
        let _ = write!(because, ", zero: {}", word(&passage));
    }
    if account.panicking {
        because.push_str(", in panic");
    }
    because
}

/// The name that the value has in JSON.
fn word(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or(UNKNOWN).to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use runtime::kube::lease::{Election, Identity, Sharing};
    use tokio::net::TcpListener;

    use super::{ExplainError, Sources, explain, routes};
    use crate::decide::Rule;
    use crate::gate::Passage;
    use crate::history::tests::account;
    use crate::history::{Account, Histories};
    use crate::id::RevisionId;

    fn histories() -> Arc<Histories> {
        let (histories, id) = (Histories::default(), RevisionId::new("ns", "hello"));
        let at = |second| Timestamp::from_second(second).unwrap();
        let first = Account {
            written: Some(1),
            rule: Rule::PanicLoad,
            ..account(1, 42.0)
        };
        histories.add(
            &id,
            Account {
                panicking: true,
                load: None,
                ..first
            },
            at(0),
        );
        histories.add(&id, account(1, 7.125), at(2));
        histories.add(&id, account(1, 8.0), at(64));
        let passage = Some(Passage::WindowOpen);
        histories.add(
            &id,
            Account {
                wanted: Some(1),
                passage,
                ..account(0, 0.0)
            },
            at(66),
        );
        Arc::new(histories)
    }

    #[tokio::test]
    async fn the_command_draws_what_the_page_tells() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let identity = Identity::of_address("autoscaler-7d-a", "127.0.0.1");
        let sources = Sources {
            histories: histories(),
            share: Election::new(identity, Sharing::Sticky).enter("autoscaler-bucket-"),
            own: address.ip(),
        };
        let address = address.to_string();
        tokio::spawn(async move { axum::serve(listener, routes(sources)).await });
        let table = explain(&address, RevisionId::new("ns", "hello"))
            .await
            .unwrap();
        let expected = "\
SINCE     LAST      TIMES  READY  STABLE  PANIC  TARGET  WANTED  WRITTEN  BECAUSE
00:00:00  00:00:00  1      1/1    -       -      70.00   1       1        panic-load, in panic
00:00:02  00:01:04  2      1/1    8.00    8.00   70.00   1       -        load
00:01:06  00:01:06  1      1/1    0.00    0.00   70.00   1       -        load, zero: window-open
";
        assert_eq!(table, expected);
        let unknown = explain(&address, RevisionId::new("ns", "other")).await;
        assert!(
            matches!(unknown, Err(ExplainError::Unknown(_))),
            "{unknown:?}"
        );
    }
}
