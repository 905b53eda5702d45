//! The event loop: requests, pods and reports on a clock that only it moves. Nothing is random.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use jiff::Timestamp;

use super::front_door::FrontDoor;
use super::outcome::{Outcome, Row};
use super::plan::Sound;
use super::pods::{PodId, Pods};
use super::scaling::Scaling;
use super::trace::Trace;
use super::{Micros, Plan, PlanError, SECOND};
use crate::decide::{Rule, TICK};
use crate::ledger::Sample;
use crate::pods::PodCounts;

/// The moment 0, in seconds of the clock that decisions know.
const EPOCH: i64 = 1_000_000;
/// As many pods as the cluster has room for. Further ones stay pending.
const ROOM: u32 = 10_000;

/// What happens; of what happens at the same moment, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Answered(PodId),
    Started(PodId),
    Arrival,
    Report,
    Tick,
    SecondOver,
}

/// A request that no pod has yet.
#[derive(Clone, Copy, Debug)]
struct Request {
    arrived: Micros,
    service: Micros,
}

struct Simulation<'a> {
    coming: Box<dyn Iterator<Item = Request> + 'a>,
    next: Option<Request>,
    events: BinaryHeap<Reverse<(Micros, Event)>>,
    now: Micros,
    scaling: Scaling,
    door: FrontDoor,
    pods: Pods,
    replicas: u32,
    queue: VecDeque<Request>,
    timeout: Micros,
    /// Requests here, waiting or at a pod.
    present: u64,
    row: Row,
    /// Times request and pods that the second has seen so far, in microseconds.
    areas: (u64, u64),
    rows: Vec<Row>,
    /// How long the requests of each second waited.
    waits: Vec<Vec<Micros>>,
}

/// Plays `trace` to a revision that has been idle for long. Same input, same answer.
///
/// # Errors
/// When the webhook would not take what `plan` says.
pub fn simulate(trace: &Trace, plan: Plan) -> Result<Outcome, PlanError> {
    let mut simulation = Simulation::new(trace, &plan.checked()?);
    let end = trace.seconds().len() as u64 * SECOND;
    while let Some(Reverse((at, event))) = simulation.events.pop() {
        simulation.advance(at);
        simulation.happen(event);
        if event == Event::SecondOver && at == end {
            break;
        }
    }
    Ok(simulation.outcome())
}

/// `moment` on the clock that decisions know.
fn clock(moment: Micros) -> Timestamp {
    let since = i64::try_from(moment).unwrap_or(i64::MAX);
    let micros = (EPOCH * SECOND as i64).saturating_add(since);
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX)
}

/// A revision that nobody has asked for anything for so long that nothing changes any more, and its
/// pods.
fn idle(sound: &Sound) -> (Scaling, u32) {
    let (autoscaler, settings) = (sound.autoscaler.clone(), sound.settings.clone());
    let second = |second| Timestamp::from_second(second).unwrap_or(Timestamp::MIN);
    let rules = crate::rules::Rules::read(&autoscaler, &settings);
    let waits = rules.spec.stable_window * 2 + rules.zero.grace.max(rules.zero.retention);
    let quiet = (waits + rules.spec.scale_down_delay).as_secs() as i64 + 60;
    let mut replicas = rules.spec.bounds.initial.clamp(1, ROOM);
    let begin = EPOCH - quiet;
    let mut scaling = Scaling::begin(autoscaler, settings, replicas, second(begin));
    for now in (begin..EPOCH).step_by(TICK.as_secs() as usize) {
        let pods = PodCounts {
            ready: replicas,
            ..PodCounts::default()
        };
        replicas = scaling
            .pass(pods, replicas, second(now))
            .replicas
            .unwrap_or(replicas);
    }
    (scaling, replicas)
}

fn coming(trace: &Trace) -> impl Iterator<Item = Request> {
    let seconds = (0..).zip(trace.seconds());
    seconds.flat_map(|(second, arrivals)| {
        (0..arrivals.count).map(move |number| Request {
            arrived: second * SECOND + (2 * number + 1) * SECOND / (2 * arrivals.count),
            service: arrivals.service * 1000,
        })
    })
}

impl<'a> Simulation<'a> {
    fn new(trace: &'a Trace, sound: &Sound) -> Self {
        let (scaling, replicas) = idle(sound);
        let start_up = sound.start_up.iter().map(|millis| millis * 1000);
        let mut pods = Pods::new(sound.slots, start_up.collect());
        for (id, _) in pods.scale(replicas.min(ROOM)) {
            pods.started(id);
        }
        let mut simulation = Self {
            coming: Box::new(coming(trace)),
            next: None,
            events: BinaryHeap::new(),
            now: 0,
            scaling,
            door: FrontDoor::new(),
            pods,
            replicas,
            queue: VecDeque::new(),
            timeout: sound.timeout * 1000,
            present: 0,
            row: Row::begin(0),
            areas: (0, 0),
            rows: Vec::new(),
            waits: vec![Vec::new(); trace.seconds().len()],
        };
        simulation.expect(0, Event::Tick);
        simulation.expect(SECOND / 2, Event::Report);
        simulation.expect(SECOND, Event::SecondOver);
        simulation.await_next();
        simulation
    }

    fn expect(&mut self, at: Micros, event: Event) {
        self.events.push(Reverse((at, event)));
    }

    fn await_next(&mut self) {
        self.next = self.coming.next();
        if let Some(request) = self.next {
            self.expect(request.arrived, Event::Arrival);
        }
    }

    fn advance(&mut self, to: Micros) {
        let passed = to - self.now;
        self.areas.0 += self.present * passed;
        self.areas.1 += self.pods.len() as u64 * passed;
        self.now = to;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Answered(pod) => {
                self.pods.answered(pod);
                self.leave();
                self.dispatch();
            }
            Event::Started(pod) => {
                self.pods.started(pod);
                self.dispatch();
            }
            Event::Arrival => self.arrive(),
            Event::Report => {
                let sample = self.door.report(self.now);
                self.tell(sample);
                self.expect(self.now + SECOND, Event::Report);
            }
            Event::Tick => {
                self.decide();
                self.expect(self.now + TICK.as_micros() as u64, Event::Tick);
            }
            Event::SecondOver => {
                self.give_up();
                self.close_row();
                self.expect(self.now + SECOND, Event::SecondOver);
            }
        }
    }

    fn arrive(&mut self) {
        if let Some(request) = self.next.take() {
            self.row.arrivals += 1;
            self.present += 1;
            self.queue.push_back(request);
            let poke = self.door.enter(self.now);
            self.dispatch();
            self.tell(poke);
        }
        self.await_next();
    }

    fn leave(&mut self) {
        self.present -= 1;
        self.door.leave(self.now);
    }

    fn tell(&mut self, sample: Option<Sample>) {
        let now = clock(self.now);
        if sample.is_some_and(|sample| self.scaling.report(sample, now)) {
            self.decide();
        }
    }

    fn decide(&mut self) {
        let counts = self.pods.counts();
        let pass = self.scaling.pass(counts, self.replicas, clock(self.now));
        self.row.panic = pass.decision.panicking;
        self.row.rule = pass.decision.rule;
        if let Some(replicas) = pass.replicas {
            self.replicas = replicas;
            for (pod, start_up) in self.pods.scale(replicas.min(ROOM)) {
                self.expect(self.now + start_up, Event::Started(pod));
            }
        }
    }

    /// Gives requests to pods, the first one first.
    fn dispatch(&mut self) {
        while !self.queue.is_empty() {
            let Some(pod) = self.pods.take_request() else {
                return;
            };
            if let Some(request) = self.queue.pop_front() {
                self.waited(request);
                self.expect(self.now + request.service, Event::Answered(pod));
            }
        }
    }

    /// Those that have waited for too long are told so.
    fn give_up(&mut self) {
        let late = |request: &&Request| request.arrived + self.timeout <= self.now;
        let late = self.queue.iter().take_while(late).count();
        for request in self.queue.drain(..late).collect::<Vec<_>>() {
            self.waited(request);
            self.leave();
        }
        self.row.timed_out = late as u64;
    }

    fn waited(&mut self, request: Request) {
        let second = (request.arrived / SECOND) as usize;
        if let Some(waits) = self.waits.get_mut(second) {
            waits.push(self.now - request.arrived);
        }
    }

    fn close_row(&mut self) {
        let counts = self.pods.counts();
        let (requests, pods) = std::mem::take(&mut self.areas);
        let next = Row {
            panic: self.row.panic,
            rule: self.row.rule,
            ..Row::begin(self.row.second + 1)
        };
        let row = std::mem::replace(&mut self.row, next);
        self.rows.push(Row {
            concurrency: requests as f64 / SECOND as f64,
            waiting: self.queue.len() as u64,
            replicas: self.replicas,
            ready: counts.ready,
            pod_seconds: pods as f64 / SECOND as f64,
            ..row
        });
    }

    /// What is left in the queue has waited until now.
    fn outcome(mut self) -> Outcome {
        for request in std::mem::take(&mut self.queue) {
            self.waited(request);
        }
        Outcome::new(self.rows, self.waits)
    }
}

impl Row {
    fn begin(second: u64) -> Self {
        Self {
            second,
            arrivals: 0,
            concurrency: 0.0,
            waiting: 0,
            replicas: 0,
            ready: 0,
            panic: false,
            rule: Rule::NoData,
            waits: Default::default(),
            timed_out: 0,
            pod_seconds: 0.0,
        }
    }
}
