//! Telling the autoscaler how many requests are here (contract/data-plane 2.6): the first request
//! of an idle revision at once, then every second. Requests never wait for it, and it may be away.

mod load;
mod socket;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use net::stat::{Stat, WireStatMessage, WireStatMessages};
use prost::Message;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

pub(crate) use load::{Load, POKE, Sample};
pub use socket::Socket;

use crate::fleet::Member;
use crate::metrics::StatsMetrics;
use crate::revision::RevisionId;

const PERIOD: Duration = Duration::from_secs(1);
/// First requests of idle revisions that may wait to be told: as many as revisions that could
/// wake in the few microseconds that telling takes. What is above is told with the next request.
const WAITING_POKES: usize = 4096;
/// Frames that may wait for the socket. More would be old news.
const WAITING_FRAMES: usize = 16;

/// Counts requests, and pokes.
#[derive(Clone, Debug)]
pub struct Reporter {
    pokes: mpsc::Sender<Arc<Member>>,
}

/// A request that is here. Dropping it counts it out.
#[derive(Debug)]
pub struct Present {
    member: Arc<Member>,
}

/// The task that reports.
#[derive(Debug)]
pub struct Reports {
    pod_name: String,
    pokes: mpsc::Receiver<Arc<Member>>,
    frames: mpsc::Sender<Bytes>,
    connected: Arc<Notify>,
    metrics: StatsMetrics,
    active: HashMap<RevisionId, Arc<Member>>,
}

/// The parts: who counts, who reports, and the stream to the autoscaler at `url`.
pub fn build(url: String, pod_name: String, metrics: &StatsMetrics) -> (Reporter, Reports, Socket) {
    let (pokes, poked) = mpsc::channel(WAITING_POKES);
    let (frames, to_send) = mpsc::channel(WAITING_FRAMES);
    let connected = Arc::new(Notify::new());
    let reports = Reports {
        pod_name,
        pokes: poked,
        frames,
        connected: Arc::clone(&connected),
        metrics: metrics.clone(),
        active: HashMap::new(),
    };
    let socket = Socket {
        url,
        frames: to_send,
        connected,
        metrics: metrics.clone(),
    };
    (Reporter { pokes }, reports, socket)
}

// === impl Reporter ===

impl Reporter {
    /// Counts a request in.
    pub fn enter(&self, member: &Arc<Member>, now: Instant) -> Present {
        let first = member.load().lock().enter(now);
        if first && self.pokes.try_send(Arc::clone(member)).is_err() {
            member.load().lock().unpoked();
        }
        Present {
            member: Arc::clone(member),
        }
    }
}

// === impl Present ===

impl Drop for Present {
    fn drop(&mut self) {
        self.member.load().lock().leave(Instant::now());
    }
}

// === impl Reports ===

impl Reports {
    /// Runs until nobody can count any more. `wall` is the time since the epoch.
    pub async fn run(mut self, wall: Duration) {
        let first = Instant::now() + until_mid_second(wall);
        let mut ticks = interval_at(first, PERIOD);
        // Late or not, the next one is in the middle of a second again.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let messages = tokio::select! {
                member = self.pokes.recv() => match member {
                    Some(member) => self.poked(member),
                    None => return,
                },
                () = self.connected.notified() => self.in_need(),
                // Not the tick's own time: when it is late, requests have been counted since.
                _ = ticks.tick() => self.regular(Instant::now()),
            };
            self.send(messages);
        }
    }

    /// This poke, and those that came with it.
    fn poked(&mut self, first: Arc<Member>) -> Vec<WireStatMessage> {
        let others = std::iter::from_fn(|| self.pokes.try_recv().ok());
        let members: Vec<_> = std::iter::once(first).chain(others).collect();
        let mut messages = Vec::new();
        for member in members {
            messages.push(self.message(&member, POKE));
            self.active.insert(member.id().clone(), member);
        }
        messages
    }

    /// After the autoscaler was away: who waits for a first pod must not wait for the next tick. All
    /// others are told of in full then; half of the truth now would make their load look small.
    fn in_need(&self) -> Vec<WireStatMessage> {
        let waiting = self.active.values().filter(|member| {
            let throttle = member.throttle();
            throttle.waiting() > 0 && !throttle.has_pods()
        });
        waiting.map(|member| self.message(member, POKE)).collect()
    }

    fn regular(&mut self, now: Instant) -> Vec<WireStatMessage> {
        let mut active = std::mem::take(&mut self.active);
        let mut messages = Vec::new();
        active.retain(|_, member| {
            let sample = member.load().lock().report(now);
            if let Some(known) = member.known() {
                known
                    .metrics
                    .concurrency
                    .set(sample.map_or(0.0, |sample| sample.concurrency));
            }
            messages.extend(sample.map(|sample| self.message(member, sample)));
            sample.is_some()
        });
        self.active = active;
        messages
    }

    fn message(&self, member: &Member, sample: Sample) -> WireStatMessage {
        WireStatMessage {
            namespace: member.id().namespace().to_owned(),
            name: member.id().name().to_owned(),
            stat: Some(Stat {
                pod_name: self.pod_name.clone(),
                average_concurrent_requests: sample.concurrency,
                request_count: sample.count,
                ..Stat::default()
            }),
        }
    }

    fn send(&self, messages: Vec<WireStatMessage>) {
        if messages.is_empty() {
            return;
        }
        let frame = WireStatMessages { messages }.encode_to_vec();
        if self.frames.try_send(frame.into()).is_err() {
            self.metrics.dropped.inc();
        }
    }
}

/// Time to the next middle of a second at `wall`, the time since the epoch. The autoscaler adds up what
/// it hears in a second: near its beginning or end, one second would get two reports and the next none.
fn until_mid_second(wall: Duration) -> Duration {
    let past_middle = (wall + PERIOD / 2).subsec_nanos();
    PERIOD - Duration::from_nanos(past_middle.into())
}
