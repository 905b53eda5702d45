//! Work that runs beside the decisions, and what comes of it.

use std::time::Duration;

use runtime::kube::apply::ApplyError;
use runtime::kube::lease::{Term, TermOver};

use super::lane::Lane;
use super::{Grounds, Tender};
use crate::ledger::Sample;
use crate::probe::ProbeError;
use crate::scrape::ScrapeError;

/// Work that has ended.
pub(super) enum Done {
    Scaled {
        version: Option<String>,
        replicas: u32,
        result: Result<(), Setback>,
    },
    Tended {
        grounds: Box<Grounds>,
        result: Result<(), Setback>,
    },
    Probed(Result<(), ProbeError>),
    Scraped {
        answer: Result<Sample, ScrapeError>,
        took: Duration,
    },
    Rested(fn(&mut Tender) -> &mut Lane),
}

/// What to do after work has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Decide at once.
    Decide,
    /// Wait for the next tick, or for load.
    Wait,
}

/// Why something was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Setback {
    #[error(transparent)]
    Refused(#[from] ApplyError),
    #[error(transparent)]
    NotOurs(#[from] TermOver),
}

/// Writes while the revision is ours.
pub(super) async fn within(
    term: Term,
    write: impl Future<Output = Result<(), ApplyError>>,
) -> Result<(), Setback> {
    Ok(term.guard(write).await??)
}
