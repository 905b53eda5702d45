//! "Why this scale?": the last decisions about a revision, as JSON for programs and as a table
//! for people.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use crate::ask::{AskError, ask};
use crate::history::{Histories, Line};
use crate::id::RevisionId;

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

/// The page `/explain/{namespace}/{revision}`.
pub fn routes(histories: Arc<Histories>) -> Router {
    Router::new()
        .route("/explain/{namespace}/{revision}", get(page))
        .with_state(histories)
}

async fn page(
    State(histories): State<Arc<Histories>>,
    Path((namespace, name)): Path<(String, String)>,
) -> Response {
    match histories.of(&RevisionId::new(namespace, name)) {
        Some(lines) => Json(lines).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Asks the autoscaler at `address` about a revision, and draws the answer.
///
/// # Errors
/// See [`ExplainError`].
pub async fn explain(address: &str, id: RevisionId) -> Result<String, ExplainError> {
    let path = format!("/explain/{}/{}", id.namespace, id.name);
    match ask(address, &path, &[], PATIENCE).await? {
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
    use tokio::net::TcpListener;

    use super::{ExplainError, explain, routes};
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
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, routes(histories())).await });
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
