//! The time for which a part is ours, and the fence around work that needs it.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

/// The right to write to the objects of a part, for as long as its lease is ours. Clones are the
/// same right; while one exists, an orderly handover waits for it.
#[derive(Clone, Debug)]
pub struct Term {
    id: u64,
    valid_until: watch::Receiver<Option<Instant>>,
}

/// The lease was lost: someone else may be working on this object already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lease for this object is not ours any more")]
pub struct TermOver;

// === impl Term ===

impl Term {
    /// Runs `work` while the term lasts. The clock is looked at before every step of it, so also a
    /// process that was stopped for an hour takes not one step more.
    ///
    /// # Errors
    /// When the term ended first. Then `work` was dropped half-way.
    pub async fn guard<F: Future>(self, work: F) -> Result<F::Output, TermOver> {
        let (mut work, mut over) = (pin!(work), pin!(self.over()));
        poll_fn(|context| {
            if self.is_over() || over.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(TermOver));
            }
            work.as_mut().poll(context).map(Ok)
        })
        .await
    }

    /// Whether the time is up, or the lease was taken or given up.
    pub fn is_over(&self) -> bool {
        self.valid_until
            .borrow()
            .is_none_or(|end| Instant::now() >= end)
    }

    /// Tells terms of one part apart: a part that is lost and won again has a new one.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    async fn over(&self) {
        let mut valid_until = self.valid_until.clone();
        loop {
            let Some(end) = *valid_until.borrow_and_update() else {
                return;
            };
            tokio::select! {
                () = sleep_until(end) => return,
                changed = valid_until.changed() => if changed.is_err() {
                    return;
                },
            }
        }
    }
}

/// The holder's end of a term. Dropping it ends the term.
#[derive(Debug)]
pub(super) struct Tenure {
    id: u64,
    valid_until: watch::Sender<Option<Instant>>,
}

// === impl Tenure ===

impl Tenure {
    pub(super) fn new(id: u64, until: Instant) -> Self {
        Self {
            id,
            valid_until: watch::Sender::new(Some(until)),
        }
    }

    /// A right under this tenure.
    pub(super) fn term(&self) -> Term {
        Term {
            id: self.id,
            valid_until: self.valid_until.subscribe(),
        }
    }

    /// A renewal has succeeded.
    pub(super) fn extend(&self, until: Instant) {
        self.valid_until.send_replace(Some(until));
    }

    /// Lets work that has begun finish, for at most `patience`, then ends the term; dropping the
    /// tenure still ends it at once.
    pub(super) fn end_when_quiet(&self, patience: Duration) -> impl Future<Output = ()> + use<> {
        let valid_until = self.valid_until.clone();
        async move {
            // Running out of patience is no failure: the term ends all the same.
            let _ = timeout(patience, valid_until.closed()).await;
            valid_until.send_replace(None);
        }
    }
}

impl Drop for Tenure {
    fn drop(&mut self) {
        self.valid_until.send_replace(None);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, advance, sleep};

    use super::{Tenure, TermOver};

    const SECOND: Duration = Duration::from_secs(1);

    fn tenure() -> Tenure {
        Tenure::new(1, Instant::now() + 10 * SECOND)
    }

    #[tokio::test(start_paused = true)]
    async fn work_within_the_term_is_done() {
        let tenure = tenure();
        let guarded = tenure.term().guard(async {
            sleep(9 * SECOND).await;
            7
        });
        assert_eq!(guarded.await, Ok(7));
    }

    #[tokio::test(start_paused = true)]
    async fn work_goes_on_as_long_as_the_term_is_extended() {
        let tenure = tenure();
        let guarded = tokio::spawn(tenure.term().guard(sleep(15 * SECOND)));
        sleep(9 * SECOND).await;
        tenure.extend(Instant::now() + 10 * SECOND);
        assert_eq!(guarded.await.unwrap(), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn work_ends_with_the_term() {
        let tenure = tenure();
        let started = Instant::now();
        let guarded = tenure.term().guard(sleep(60 * SECOND)).await;
        assert_eq!((guarded, started.elapsed()), (Err(TermOver), 10 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_lease_ends_work_at_once() {
        let tenure = tenure();
        let guarded = tokio::spawn(tenure.term().guard(sleep(60 * SECOND)));
        sleep(SECOND).await;
        let started = Instant::now();
        drop(tenure);
        assert_eq!(guarded.await.unwrap(), Err(TermOver));
        assert_eq!(started.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_slept_too_long_takes_no_step_more() {
        let tenure = tenure();
        let steps = std::cell::Cell::new(0);
        let work = std::future::poll_fn(|context| {
            steps.set(steps.get() + 1);
            context.waker().wake_by_ref();
            std::task::Poll::<()>::Pending
        });
        let mut guarded = std::pin::pin!(tenure.term().guard(work));
        assert_eq!(futures::poll!(&mut guarded), std::task::Poll::Pending);
        advance(10 * SECOND).await;
        assert_eq!(guarded.await, Err(TermOver));
        assert_eq!(steps.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_handover_waits_for_work_but_not_for_ever() {
        let tenure = tenure();
        let short = tokio::spawn(tenure.term().guard(sleep(2 * SECOND)));
        let started = Instant::now();
        tenure.end_when_quiet(5 * SECOND).await;
        assert_eq!(started.elapsed(), 2 * SECOND);
        assert_eq!(short.await.unwrap(), Ok(()));

        let tenure = self::tenure();
        let long = tokio::spawn(tenure.term().guard(sleep(8 * SECOND)));
        let started = Instant::now();
        tenure.end_when_quiet(5 * SECOND).await;
        assert_eq!(started.elapsed(), 5 * SECOND);
        assert_eq!(long.await.unwrap(), Err(TermOver));

        let tenure = self::tenure();
        let lost = tokio::spawn(tenure.term().guard(sleep(8 * SECOND)));
        let handover = tokio::spawn(tenure.end_when_quiet(5 * SECOND));
        let started = Instant::now();
        drop(tenure);
        assert_eq!(
            lost.await.unwrap(),
            Err(TermOver),
            "taken during the handover"
        );
        handover.await.unwrap();
        assert_eq!(started.elapsed(), Duration::ZERO);
    }
}
