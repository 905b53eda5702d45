//! How long a connection may be silent, and how it learns that nobody waits for it any more.
//!
//! hyper has one timeout for the silence between two requests and for a head that comes byte by
//! byte, and none before it knows the protocol. Here the transport itself keeps the time: it sees
//! the bytes, and [`Activity`] tells it what became of them. A request that comes in one piece costs
//! no timer.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
    time::{Instant, Sleep, sleep},
};

/// The answer to a head that takes too long; hyper has none.
const TOO_SLOW: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// How HTTP/2 begins, as far as it takes to know it from HTTP/1.1.
const HTTP2: &[u8] = b"PRI ";

/// What became of the bytes of a connection: its requests tell.
#[derive(Debug, Default)]
pub(super) struct Activity {
    begun: AtomicUsize,
    ended: AtomicUsize,
    bored: Notify,
}

/// A request is being answered, until this is dropped.
#[derive(Debug)]
pub(super) struct Present(Arc<Activity>);

/// How long a connection may be silent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// In a head.
    pub(super) head: Duration,
    /// Without requests.
    pub(super) idle: Duration,
}

/// A transport that keeps the time.
#[derive(Debug)]
pub(super) struct Timed<I> {
    io: I,
    activity: Arc<Activity>,
    patience: Patience,
    state: State,
    spoken: Spoken,
    alarm: Pin<Box<Sleep>>,
    /// Whether all that was to be written was written: only then may we say something.
    flushed: bool,
}

/// What a connection is at, and how many requests it had begun by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    phase: Phase,
    begun: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No request.
    Idle { since: Instant },
    /// A part of a head of HTTP/1.1 is there.
    Head { since: Instant },
    /// A request is being answered.
    Busy,
    /// Its time was over, and that was said.
    Over,
}

/// What the client speaks, as its first bytes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spoken {
    /// So many bytes were those of [`HTTP2`].
    Unknown(usize),
    Http1,
    Http2,
}

// === impl Activity ===

impl Activity {
    pub(super) fn enter(self: &Arc<Self>) -> Present {
        self.begun.fetch_add(1, Ordering::AcqRel);
        Present(Arc::clone(self))
    }

    /// Ends when the connection had no request for too long.
    pub(super) async fn bored(&self) {
        self.bored.notified().await;
    }

    /// How many requests have begun, and whether one of them goes on.
    fn now(&self) -> (usize, bool) {
        let ended = self.ended.load(Ordering::Acquire);
        let begun = self.begun.load(Ordering::Acquire);
        (begun, begun != ended)
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::AcqRel);
    }
}

// === impl State ===

impl State {
    fn at(self, (begun, busy): (usize, bool), now: Instant) -> Self {
        let phase = match self.phase {
            _ if busy => Phase::Busy,
            // What was there of a head became a request that is answered already.
            _ if begun != self.begun => Phase::Idle { since: now },
            Phase::Busy => Phase::Idle { since: now },
            same @ (Phase::Idle { .. } | Phase::Head { .. } | Phase::Over) => same,
        };
        Self { phase, begun }
    }

    fn read(self, spoken: Spoken, now: Instant) -> Self {
        let phase = match (self.phase, spoken) {
            (Phase::Idle { .. } | Phase::Over, Spoken::Http1 | Spoken::Unknown(_)) => {
                Phase::Head { since: now }
            }
            // Frames come between requests, too: only a request ends the idle time.
            (Phase::Idle { since } | Phase::Head { since }, Spoken::Http2) => Phase::Idle { since },
            (same, _) => same,
        };
        Self { phase, ..self }
    }

    fn deadline(self, patience: Patience) -> Option<Instant> {
        match self.phase {
            Phase::Idle { since } => Some(since + patience.idle),
            Phase::Head { since } => Some(since + patience.head),
            Phase::Busy | Phase::Over => None,
        }
    }
}

// === impl Spoken ===

impl Spoken {
    fn after(self, bytes: &[u8]) -> Self {
        let Self::Unknown(known) = self else {
            return self;
        };
        let rest = HTTP2.get(known..).unwrap_or_default();
        let same = rest.iter().zip(bytes).take_while(|(a, b)| a == b).count();
        if same == rest.len() {
            Self::Http2
        } else if same == bytes.len() {
            Self::Unknown(known + same)
        } else {
            Self::Http1
        }
    }
}

// === impl Timed ===

impl<I> Timed<I> {
    pub(super) fn new(io: I, activity: Arc<Activity>, patience: Patience) -> Self {
        let since = Instant::now();
        Self {
            io,
            activity,
            patience,
            state: State {
                phase: Phase::Idle { since },
                begun: 0,
            },
            spoken: Spoken::Unknown(0),
            alarm: Box::pin(sleep(patience.idle)),
            flushed: true,
        }
    }

    fn has_read(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.spoken = self.spoken.after(bytes);
        let seen = self.activity.now();
        // The clock costs more than the look: nobody needs it while a request is answered.
        if seen.1 && self.state.phase == Phase::Busy {
            return;
        }
        let now = Instant::now();
        self.state = self.state.at(seen, now).read(self.spoken, now);
    }
}

impl<I> Timed<I> {
    /// Ready when the time is over.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let seen = self.activity.now();
            if seen.1 {
                self.state = State {
                    phase: Phase::Busy,
                    begun: seen.0,
                };
                return Poll::Pending;
            }
            let now = Instant::now();
            self.state = self.state.at(seen, now);
            let Some(deadline) = self.state.deadline(self.patience) else {
                return Poll::Pending;
            };
            if deadline <= now {
                return Poll::Ready(());
            }
            // An alarm that rings too early is set again then: most never have to ring at all.
            if self.alarm.is_elapsed() || deadline < self.alarm.deadline() {
                self.alarm.as_mut().reset(deadline);
            }
            ready!(self.alarm.as_mut().poll(cx));
        }
    }

    fn note(&mut self, polled: &Poll<io::Result<usize>>, wanted: usize) {
        self.flushed = matches!(polled, Poll::Ready(Ok(written)) if *written == wanted);
    }
}

impl<I: AsyncWrite + Unpin> Timed<I> {
    fn give_up(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let phase = std::mem::replace(&mut self.state.phase, Phase::Over);
        if !matches!(phase, Phase::Head { .. }) {
            self.activity.bored.notify_one();
            return Poll::Pending;
        }
        if self.flushed {
            // Who takes not even this gets no answer.
            let _ = Pin::new(&mut self.io).poll_write(cx, TOO_SLOW);
        }
        // The end of the stream, for hyper.
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncRead for Timed<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match Pin::new(&mut self.io).poll_read(cx, buf) {
            Poll::Ready(done) => {
                self.has_read(buf.filled().get(before..).unwrap_or_default());
                Poll::Ready(done)
            }
            Poll::Pending => {
                ready!(self.poll_deadline(cx));
                self.give_up(cx)
            }
        }
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Timed<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, buf);
        self.note(&polled, buf.len());
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.note(&polled, bufs.iter().map(|buf| buf.len()).sum());
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    /// The end of an answer is flushed, and hyper may not read after it until it is woken: from here
    /// on the time runs.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        if self.poll_deadline(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Patience, Phase, Spoken, State};

    #[test]
    fn protocol_is_known_by_its_first_bytes_however_they_come() {
        let cases: [(&[&str], Spoken); 6] = [
            (&["GET / HT"], Spoken::Http1),
            (&["PRI * HTTP/2.0"], Spoken::Http2),
            (&["P", "RI", " "], Spoken::Http2),
            (&["P", "OST"], Spoken::Http1),
            (&["PR"], Spoken::Unknown(2)),
            (&["GET", "PRI "], Spoken::Http1),
        ];
        for (reads, expected) in cases {
            let spoken = reads.iter().fold(Spoken::Unknown(0), |spoken, read| {
                spoken.after(read.as_bytes())
            });
            assert_eq!(spoken, expected, "{reads:?}");
        }
    }

    #[test]
    fn time_runs_from_the_first_byte_of_a_head_and_from_the_last_request() {
        let patience = Patience {
            head: Duration::from_secs(10),
            idle: Duration::from_secs(100),
        };
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let (none, one) = ((0, false), (1, true));
        let fresh = State {
            phase: Phase::Idle { since: start },
            begun: 0,
        };
        assert_eq!(
            fresh.at(none, after(5)).deadline(patience),
            Some(after(100))
        );
        let head = fresh.read(Spoken::Http1, after(6));
        assert_eq!(head.deadline(patience), Some(after(16)));
        // More bytes of the same head give it no more time.
        let more = head.at(none, after(9)).read(Spoken::Http1, after(9));
        assert_eq!(more.deadline(patience), Some(after(16)));
        assert_eq!(more.at(one, after(10)).deadline(patience), None);
        // Answered so quickly that nobody saw it busy.
        let answered = head.at((1, false), after(12));
        assert_eq!(answered.deadline(patience), Some(after(112)));
        // Frames of HTTP/2 are no request.
        let frames = fresh.read(Spoken::Http2, after(50));
        assert_eq!(frames.deadline(patience), Some(after(100)));
    }
}
