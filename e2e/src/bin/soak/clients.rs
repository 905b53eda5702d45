//! Clients, each with one request at a time on a connection of its own.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use e2e::client::{Answer, Connection, Gateway, PATIENCE, usable};
use tokio::time::{Instant, sleep, timeout};

use super::fate::{Failure, How, Subject};
use super::ledger::Ledger;
use super::rollouts;

/// Between two looks whether it is time for requests.
const IDLE: Duration = Duration::from_millis(100);

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) struct Aim {
    pub(crate) gateway: Gateway,
    pub(crate) host: String,
    pub(crate) path: &'static str,
    pub(crate) subject: Subject,
}

/// Asks while `active` says so, until `end`. Requests are never repeated.
pub(crate) async fn ask_until(
    end: Instant,
    start: Instant,
    aim: Aim,
    active: impl Fn(Duration) -> bool,
    ledger: Arc<Ledger>,
) {
    let mut kept = None;
    while Instant::now() < end {
        if !active(start.elapsed()) {
            kept = None;
            sleep(IDLE).await;
            continue;
        }
        let (version, begun) = (ledger.version(), Instant::now());
        let asked = timeout(PATIENCE, ask(&aim, &mut kept)).await;
        let failure = |how, what| Failure {
            subject: aim.subject,
            begun,
            ended: Instant::now(),
            how,
            what,
        };
        match asked {
            Ok(Ok(answer)) => match flaw(aim.subject, &answer, version) {
                None => ledger.good(begun.elapsed()),
                Some((how, what)) => ledger.bad(failure(how, what)),
            },
            Ok(Err(error)) => ledger.bad(failure(How::Broke, format!("{error:#}"))),
            Err(_) => ledger.bad(failure(How::Otherwise, "no answer in time".to_owned())),
        }
    }
}

async fn ask(aim: &Aim, kept: &mut Option<Connection>) -> Result<Answer> {
    let mut connection = match usable(kept.take()).await {
        Some(connection) => connection,
        None => aim.gateway.connect().await?,
    };
    let answer = connection.get(&aim.host, aim.path).await?;
    *kept = Some(connection);
    Ok(answer)
}

/// What is wrong with an answer to a request that began when `version` was Ready.
fn flaw(subject: Subject, answer: &Answer, version: u32) -> Option<(How, String)> {
    let said = || format!("{}: {}", answer.status, answer.body.trim_end());
    match (answer.status.as_u16(), subject) {
        (200, Subject::Waves) => None,
        (200, Subject::Steady) => match rollouts::version_of(&answer.body) {
            Some(answered) if answered >= version => None,
            _ => Some((
                How::Otherwise,
                format!("v{version} is Ready, answered by {}", said()),
            )),
        },
        (502, _) => Some((How::Broke, said())),
        _ => Some((How::Otherwise, said())),
    }
}
