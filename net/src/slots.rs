//! The slots of a pod with a hard limit, shared by everybody who sends requests there.
//!
//! A slot is lent to an activator for as long as it keeps one HTTP/2 stream open: the answer to its
//! ask begins when a slot is free, and ends when the activator, or its process, goes. Requests that
//! name the loan use that slot; requests that name none wait in the same line as asks do. As soon as
//! somebody waits, all borrowers are told so, and each gives its slot back when it can spare it; from
//! one that lets it lie idle it is taken. Whose turn is over loses it as soon as its request has ended:
//! the next one has the slot before the answer is with the last.
//! So an activator knows before it sends a request that the pod will work on it at once, and no slot
//! is kept from those who wait. The pod is the only judge: nothing that activators believe can break
//! its limit.
//!
//! ```text
//! activator                               sidecar
//!    │ GET, K-Network-Probe: slot, K-Slot: x │
//!    ├──────────────────────────────────────►│ waits in the line
//!    │◄────────────────────────────── 200 ───┤ lent
//!    │ any request, K-Slot: x                │
//!    ├──────────────────────────────────────►│ uses that slot
//!    │◄──────────────────────── DATA "w" ────┤ somebody waits
//!    │ RST_STREAM                            │
//!    ├──────────────────────────────────────►│ free again
//!    │                            or         │
//!    │◄─────────────────────── END_STREAM ───┤ turn over, and lent to the next
//! ```

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderValue;
use http_body::{Body as HttpBody, Frame};
use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use crate::{
    body::BodyError,
    breaker::{Breaker, Full, Permit},
};

/// How long a borrower with a line of its own keeps a slot that others wait for. Each change of hands
/// leaves the slot idle for about a round trip, so there must not be too many of them.
pub const TURN: Duration = Duration::from_millis(100);

/// Who decides by its own clock, and by what reached it, is left this much more.
const GRACE: Duration = Duration::from_millis(10);

/// How long a borrower may take to give an idle slot back that somebody waits for.
const FORBEARANCE: Duration = Duration::from_secs(1);

/// What a borrower reads when somebody waits.
const WANTED: &[u8] = b"w";

type Book = Arc<Mutex<HashMap<HeaderValue, Arc<Lent>>>>;

/// The slots of a pod. Clones share them.
#[derive(Clone, Debug)]
pub struct Slots {
    breaker: Breaker,
    book: Book,
    asking: Arc<AtomicUsize>,
}

/// A loan, as the body of the answer that tells of it. Dropping it ends the loan; a request that
/// uses the slot at that moment keeps it until it has ended.
pub struct Loan {
    id: HeaderValue,
    book: Book,
    lent: Arc<Lent>,
    wanted: Option<Event>,
    /// Since it is wanted: it lies idle, or its turn is over.
    taken: Option<Event>,
    end: Option<Event>,
}

type Event = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The right to one request. Dropping it lets the next one in.
#[derive(Debug)]
pub enum Slot {
    /// A slot of its own.
    Own(Permit),
    /// A slot that is lent.
    Borrowed(InUse),
}

/// A lent slot in use.
#[derive(Debug)]
pub struct InUse(Arc<Lent>);

#[derive(Debug)]
struct Lent {
    state: Mutex<State>,
    /// The turn is over, and the slot is gone.
    over: Notify,
}

#[derive(Debug)]
struct State {
    /// None when the turn is over.
    permit: Option<Permit>,
    in_use: bool,
    /// When the borrower was told that somebody waits.
    told: Option<Instant>,
}

#[derive(Debug)]
struct Asking<'a>(&'a AtomicUsize);

// === impl Slots ===

impl Slots {
    /// All slots of a breaker.
    pub fn new(breaker: Breaker) -> Self {
        Self {
            breaker,
            book: Book::default(),
            asking: Arc::default(),
        }
    }

    /// A slot for a request: the one that is lent to `loan`, or the next free one. A loan that
    /// nobody knows, or that is in use already, counts as none. Dropping the future leaves the line.
    ///
    /// # Errors
    /// At once, when the line is full.
    pub async fn enter(&self, loan: Option<&HeaderValue>) -> Result<Slot, Full> {
        let lent = loan.and_then(|id| self.book.lock().get(id).cloned());
        match lent.and_then(InUse::begin) {
            Some(borrowed) => Ok(Slot::Borrowed(borrowed)),
            None => self.breaker.acquire().await.map(Slot::Own),
        }
    }

    /// Lends the next free slot to whoever names it `id`. A name that is taken gets a second slot
    /// and loses the first. Dropping the future leaves the line.
    ///
    /// # Errors
    /// At once, when the line is full.
    pub async fn lend(&self, id: HeaderValue) -> Result<Loan, Full> {
        let asking = Asking::new(&self.asking);
        let permit = self.breaker.acquire().await?;
        drop(asking);
        let lent = Arc::new(Lent::new(permit));
        self.book.lock().insert(id.clone(), Arc::clone(&lent));
        let breaker = self.breaker.clone();
        let wanted = async move { breaker.wanted().await };
        Ok(Loan {
            id,
            book: Arc::clone(&self.book),
            lent,
            wanted: Some(Box::pin(wanted)),
            taken: None,
            end: None,
        })
    }

    /// Requests that are being worked on or wait: neither asks nor slots that are lent and idle.
    pub fn requests(&self) -> usize {
        let inside = self.breaker.in_flight() + self.breaker.queued();
        let idle = self
            .book
            .lock()
            .values()
            .filter(|lent| lent.is_idle())
            .count();
        inside.saturating_sub(idle + self.asking.load(Ordering::Relaxed))
    }

    /// The limit and its line.
    pub fn breaker(&self) -> &Breaker {
        &self.breaker
    }
}

// === impl Loan ===

impl Loan {
    /// The same until `end`, at the latest.
    #[must_use]
    pub fn until(mut self, end: impl Future<Output = ()> + Send + 'static) -> Self {
        self.end = Some(Box::pin(end));
        self
    }
}

impl HttpBody for Loan {
    type Data = Bytes;
    type Error = BodyError;

    /// One frame when somebody waits; the end when the lender goes, or when the slot lies idle
    /// although somebody waits, or when the turn is over.
    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if has_come(&mut self.end, cx) || has_come(&mut self.taken, cx) {
            return Poll::Ready(None);
        }
        if !has_come(&mut self.wanted, cx) {
            return Poll::Pending;
        }
        self.lent.tell();
        self.taken = Some(Box::pin(taken(Arc::clone(&self.lent))));
        // Whoever ends it must be woken by it.
        cx.waker().wake_by_ref();
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(WANTED)))))
    }
}

/// Ends when the turn is over, or when a slot that somebody waits for lies idle: its borrower is gone,
/// or doesn't play fair.
async fn taken(lent: Arc<Lent>) {
    while timeout(FORBEARANCE, lent.over.notified()).await.is_err() {
        if lent.is_idle() {
            return;
        }
    }
}

/// True once.
fn has_come(event: &mut Option<Event>, cx: &mut Context<'_>) -> bool {
    let came = event
        .as_mut()
        .is_some_and(|event| event.as_mut().poll(cx).is_ready());
    if came {
        *event = None;
    }
    came
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.book.lock().remove(&self.id);
    }
}

impl std::fmt::Debug for Loan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loan")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

// === impl InUse ===

impl InUse {
    /// None when another request uses it, or when the turn is over.
    fn begin(lent: Arc<Lent>) -> Option<Self> {
        lent.take_up().then_some(Self(lent))
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.put_down(Instant::now());
    }
}

// === impl Lent ===

impl Lent {
    fn new(permit: Permit) -> Self {
        let state = State {
            permit: Some(permit),
            in_use: false,
            told: None,
        };
        Self {
            state: Mutex::new(state),
            over: Notify::new(),
        }
    }

    fn is_idle(&self) -> bool {
        !self.state.lock().in_use
    }

    fn tell(&self) {
        self.state.lock().told = Some(Instant::now());
    }

    fn take_up(&self) -> bool {
        let mut state = self.state.lock();
        let free = state.permit.is_some() && !state.in_use;
        state.in_use |= free;
        free
    }

    /// The request has ended; with it the loan, if the turn is over.
    fn put_down(&self, now: Instant) {
        let permit = self.state.lock().put_down(now);
        if permit.is_some() {
            self.over.notify_one();
        }
        // The next one has it from here on.
        drop(permit);
    }
}

impl State {
    fn put_down(&mut self, now: Instant) -> Option<Permit> {
        self.in_use = false;
        let over = self.told.is_some_and(|told| now >= told + TURN + GRACE);
        self.permit.take_if(|_| over)
    }
}

// === impl Asking ===

impl<'a> Asking<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
