//! One revision's requests and its pods: who waits, in what order, and who goes where.
//!
//! - First come, first served: a request that was given back by a broken pod keeps its turn.
//! - A pod with a limit gets a request only when it has lent us a slot for it ([`loans`]), so no
//!   request waits there while another pod is free. The queue-proxy is the judge over all replicas.
//! - Waiting costs bytes of a [`Budget`] that all revisions share: a line can't eat the process.
//!
//! Locks are held for one expression. Only [`seek`] does IO; deadlines are the caller's, who drops
//! the future.

mod backend;
mod balance;
mod budget;
mod line;
mod loans;
mod seek;
#[cfg(test)]
mod tests;
mod ticket;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, oneshot};

pub use backend::Backend;
pub use budget::Budget;
use budget::Bytes;
use line::Line;
pub use line::Turn;
use loans::{Borrowed, Loan};
pub use ticket::Ticket;

use crate::revision::RevisionId;

/// Waiters that left without a word are swept out once they are more than those who wait.
const SWEEP_FROM: usize = 64;

/// The line of a revision, and the pods that serve it.
#[derive(Debug)]
pub struct Throttle {
    id: RevisionId,
    state: Mutex<State>,
    budget: Arc<Budget>,
    waiting: AtomicUsize,
    joined: Notify,
    /// A look for slots is going on.
    seeking: AtomicBool,
    /// There may be more to ask for, or nobody waits any more.
    changed: Notify,
    /// Makes our order of pods another one than that of other replicas.
    seed: u64,
}

/// What a request found when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// A pod, though perhaps a busy one.
    Warm,
    /// No pod at all.
    Cold,
}

/// Why a request can't even wait.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The requests that wait already have all the memory that waiting may cost.
    #[error("too many requests wait for a pod of revision \"{0}\"")]
    Full(RevisionId),
    /// No pod can start, and waiting doesn't help.
    #[error(
        "revision \"{id}\" can't start: {trouble} (see: kubectl describe revision {} -n {})",
        id.name(), id.namespace()
    )]
    CantStart {
        /// The revision.
        id: RevisionId,
        /// What keeps its pods from starting.
        trouble: Arc<str>,
    },
    /// The revision is gone.
    #[error("revision \"{0}\" does not exist any more")]
    Deleted(RevisionId),
}

type Waiter = oneshot::Sender<Result<Ticket, Refused>>;

/// A pod with a free slot, and the slot if it was lent.
type Place = (Arc<Backend>, Option<Loan>);

#[derive(Debug)]
struct State {
    limit: Option<NonZeroU32>,
    backends: Vec<Arc<Backend>>,
    line: Line<Waiter>,
    refused: Option<Refused>,
}

/// One request in the line: counted as long as it waits.
struct Waiting<'a> {
    throttle: &'a Throttle,
    _bytes: Bytes,
}

// === impl Throttle ===

impl Throttle {
    /// A line without pods.
    pub fn new(id: RevisionId, limit: Option<NonZeroU32>, budget: Arc<Budget>) -> Arc<Self> {
        let state = State {
            limit,
            backends: Vec::new(),
            line: Line::default(),
            refused: None,
        };
        Arc::new(Self {
            id,
            state: Mutex::new(state),
            budget,
            waiting: AtomicUsize::new(0),
            joined: Notify::new(),
            seeking: AtomicBool::new(false),
            changed: Notify::new(),
            seed: rand::random(),
        })
    }

    /// A pod for one request, as soon as it is this request's turn. `bytes` is what the request
    /// costs while it waits; `turn` is the place it had before a pod gave it back.
    ///
    /// Cancel-safe: a request that stops waiting frees its place and its slot.
    ///
    /// # Errors
    /// At once when waiting is impossible; later when it turns out to be in vain.
    pub async fn acquire(
        self: &Arc<Self>,
        turn: Option<Turn>,
        bytes: usize,
    ) -> Result<Ticket, Refused> {
        let (turn, granted) = self.state.lock().grant_at_once(turn)?;
        match granted {
            Some(place) => Ok(self.ticket(place, turn)),
            None => self.wait(turn, bytes).await,
        }
    }

    async fn wait(self: &Arc<Self>, turn: Turn, bytes: usize) -> Result<Ticket, Refused> {
        let full = || Refused::Full(self.id.clone());
        let bytes = Budget::take(&self.budget, bytes).ok_or_else(full)?;
        let _waiting = Waiting::new(self, bytes);
        let (waiter, granted) = oneshot::channel();
        let start = self.state.lock().join(turn, waiter, self.waiting());
        // A slot may have become free between the look and the joining.
        self.dispatch();
        self.joined.notify_waiters();
        self.seek();
        match granted.await {
            Ok(Ok(mut ticket)) => {
                ticket.start = start;
                Ok(ticket)
            }
            Ok(Err(refused)) => Err(refused),
            Err(_) => Err(Refused::Deleted(self.id.clone())),
        }
    }

    /// Takes these pods for all requests from now on, and gives them to those who wait. Requests
    /// in flight elsewhere are not touched.
    pub fn set_backends(self: &Arc<Self>, backends: Vec<Arc<Backend>>) {
        self.state.lock().replace(backends);
        self.dispatch();
        self.changed.notify_waiters();
    }

    /// Most requests that a pod gets at once; None is no limit.
    pub fn set_limit(self: &Arc<Self>, limit: Option<NonZeroU32>) {
        self.state.lock().limit = limit;
        self.dispatch();
        self.seek();
    }

    /// Sends all waiting requests away, and all that come until there is a pod.
    pub fn refuse(&self, refused: &Refused) {
        let waiters = self.state.lock().refuse(refused.clone());
        for waiter in waiters {
            // Whoever left needs no answer.
            let _ = waiter.send(Err(refused.clone()));
        }
    }

    /// Lets requests wait again after [`Throttle::refuse`].
    pub fn relent(&self) {
        self.state.lock().refused = None;
    }

    /// How many requests wait.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Whether there is any pod, however busy.
    pub fn has_pods(&self) -> bool {
        !self.state.lock().backends.is_empty()
    }

    /// Ends when a request joins the line after this call, polled or not. Cancel-safe.
    pub fn joined(&self) -> Notified<'_> {
        self.joined.notified()
    }

    fn dispatch(self: &Arc<Self>) {
        loop {
            let Some((turn, waiter, place)) = self.state.lock().next() else {
                return;
            };
            if let Err(Ok(ticket)) = waiter.send(Ok(self.ticket(place, turn))) {
                ticket.surrender();
            }
        }
    }

    fn ticket(self: &Arc<Self>, (backend, loan): Place, turn: Turn) -> Ticket {
        Ticket {
            throttle: Some(Arc::clone(self)),
            backend,
            turn,
            start: Start::Warm,
            loan,
        }
    }

    fn release(self: &Arc<Self>, backend: &Backend, loan: Option<Loan>) {
        let borrowed = loan.is_some();
        backend.free(loan, self.waiting());
        if self.state.lock().someone_needs_a_slot() {
            self.dispatch();
        }
        if let Some(loans) = backend.loans().filter(|_| borrowed) {
            loans.give_back();
        }
    }

    /// Looks for slots, unless that goes on already.
    fn seek(self: &Arc<Self>) {
        let in_vain = self.waiting() == 0 || self.state.lock().limit.is_none();
        if !in_vain && !self.seeking.swap(true, Ordering::AcqRel) {
            tokio::spawn(seek::until_nobody_waits(Arc::clone(self)));
        }
    }

    /// Whether the one who looks for slots may stop: nobody has come in between.
    fn stops_seeking(&self) -> bool {
        self.seeking.store(false, Ordering::Release);
        self.waiting() == 0 || self.seeking.swap(true, Ordering::AcqRel)
    }

    /// Ends when nobody waits. Cancel-safe.
    async fn nobody_waits(&self) {
        loop {
            let changed = self.changed.notified();
            if self.waiting() == 0 {
                return;
            }
            changed.await;
        }
    }

    /// The limit, and the pods that lend their slots.
    fn lenders(&self) -> (Option<NonZeroU32>, Vec<(Arc<Backend>, Borrowed)>) {
        let state = self.state.lock();
        let lenders = state.backends.iter().filter_map(|backend| {
            let borrowed = backend.borrowed(self.seed)?;
            Some((Arc::clone(backend), borrowed))
        });
        (state.limit, lenders.collect())
    }
}

// === impl State ===

impl State {
    fn grant_at_once(&mut self, turn: Option<Turn>) -> Result<(Turn, Option<Place>), Refused> {
        if let Some(refused) = &self.refused {
            return Err(refused.clone());
        }
        let turn = turn.unwrap_or_else(|| self.line.turn());
        let first = self.line.is_before_all(turn);
        Ok((turn, if first { self.pick() } else { None }))
    }

    fn join(&mut self, turn: Turn, waiter: Waiter, alive: usize) -> Start {
        if self.line.len() > SWEEP_FROM + 2 * alive {
            self.line.sweep(|waiter| !waiter.is_closed());
        }
        self.line.join(turn, waiter);
        if self.backends.is_empty() {
            Start::Cold
        } else {
            Start::Warm
        }
    }

    /// The next request and its pod.
    fn next(&mut self) -> Option<(Turn, Waiter, Place)> {
        self.line.drop_front_while(oneshot::Sender::is_closed);
        if self.line.len() == 0 {
            return None;
        }
        let place = self.pick()?;
        self.line
            .leave()
            .map(|(turn, waiter)| (turn, waiter, place))
    }

    fn pick(&self) -> Option<Place> {
        let get = |index: usize| self.backends.get(index);
        let load = |index: usize| get(index).map_or(u32::MAX, |backend| backend.in_flight());
        let free = |index: usize| get(index).is_some_and(|backend| backend.has_room(self.limit));
        let chosen = balance::pick(self.backends.len(), load, free, rand::random())?;
        let backend = get(chosen)?;
        Some((Arc::clone(backend), backend.occupy(self.limit)))
    }

    fn replace(&mut self, backends: Vec<Arc<Backend>>) {
        if !backends.is_empty() {
            self.refused = None;
        }
        self.backends = backends;
    }

    fn refuse(&mut self, refused: Refused) -> Vec<Waiter> {
        self.refused = Some(refused);
        std::iter::from_fn(|| self.line.leave())
            .map(|(_, waiter)| waiter)
            .collect()
    }

    fn someone_needs_a_slot(&self) -> bool {
        self.limit.is_some() && self.line.len() > 0
    }
}

// === impl Waiting ===

impl<'a> Waiting<'a> {
    fn new(throttle: &'a Throttle, bytes: Bytes) -> Self {
        throttle.waiting.fetch_add(1, Ordering::Relaxed);
        Self {
            throttle,
            _bytes: bytes,
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.throttle.waiting.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.throttle.changed.notify_waiters();
        }
    }
}
