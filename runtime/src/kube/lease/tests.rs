//! Elections against an API server in memory, on a clock that is stopped when nobody waits.

mod api;
mod turmoil;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crds::config::{LeaderElectionConfig, Settings};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use self::api::{NAMESPACE, Server};
use super::{Election, Identity, Share, Sharing, Term};
use crate::shutdown::Shutdown;
use crate::tasks::Tasks;

const SECOND: Duration = Duration::from_secs(1);
const STEM: &str = "controller.x.route.reconciler.";
/// Objects that tests look at; enough for each of ten parts to have one.
const OBJECTS: u32 = 40;

/// One replica.
struct Replica {
    share: Share,
    settings: watch::Sender<Arc<Settings>>,
    tasks: Tasks,
}

fn settings(buckets: u32) -> Arc<Settings> {
    Arc::new(Settings {
        leader_election: LeaderElectionConfig {
            lease_duration: 15 * SECOND,
            renew_deadline: 10 * SECOND,
            retry_period: 2 * SECOND,
            buckets,
            map_lease_prefix: BTreeMap::new(),
        },
        ..Settings::default()
    })
}

impl Replica {
    /// Joins as the client `number` of `server`.
    fn join(server: &Server, number: usize, identity: Identity, buckets: u32) -> Self {
        Self::join_for(server, number, identity, buckets, Sharing::Even)
    }

    fn join_for(
        server: &Server,
        number: usize,
        identity: Identity,
        buckets: u32,
        sharing: Sharing,
    ) -> Self {
        let (settings, receiver) = watch::channel(settings(buckets));
        let tasks = Tasks::new(Shutdown::default());
        let mut election = Election::new(identity, sharing);
        let share = election.enter(STEM);
        election.start(&tasks, &server.client(number), NAMESPACE, receiver);
        Self {
            share,
            settings,
            tasks,
        }
    }

    fn term(&self, object: u32) -> Option<Term> {
        self.share.term("default", &object.to_string())
    }

    /// How many of the objects are ours.
    fn owned(&self) -> usize {
        (0..OBJECTS)
            .filter(|object| self.term(*object).is_some())
            .count()
    }

    /// Waits until the first part is ours.
    async fn gained(&self) {
        Box::pin(self.share.gains()).next().await.unwrap();
    }

    /// Leaves as on SIGTERM.
    async fn leave(self) {
        self.tasks.shutdown().request();
        self.tasks.run().await;
    }
}

fn pod_name(letter: char) -> String {
    format!("controller-7d-{letter}")
}

fn identity(letter: char) -> Identity {
    Identity::of_process(Some(&pod_name(letter)))
}

fn running_pod() -> Value {
    json!({ "status": {
        "phase": "Running",
        "conditions": [{ "type": "Ready", "status": "True" }],
    } })
}

fn lease_of(holder: &str) -> Value {
    json!({ "spec": { "holderIdentity": holder, "leaseDurationSeconds": 15 } })
}

fn server_with_pods(letters: &str) -> Server {
    let server = Server::default();
    for letter in letters.chars() {
        server.put("pods", &pod_name(letter), running_pod());
    }
    server
}

/// Watches for `time` that no object ever has two owners; returns for how long, added up over all
/// objects, there was none.
async fn never_two_owners(replicas: &[&Replica], time: Duration) -> Duration {
    let tick = Duration::from_millis(50).min(time);
    let end = Instant::now() + time;
    let mut ownerless = Duration::ZERO;
    while Instant::now() < end {
        for object in 0..OBJECTS {
            let owners = replicas
                .iter()
                .filter(|replica| replica.term(object).is_some());
            match owners.count() {
                0 => ownerless += tick,
                1 => {}
                two => panic!("{two} replicas work on {object}"),
            }
        }
        sleep(tick).await;
    }
    ownerless
}

#[tokio::test(start_paused = true)]
async fn a_fresh_cluster_is_ours_at_once() {
    let (server, started) = (server_with_pods("a"), Instant::now());
    let replica = Replica::join(&server, 0, identity('a'), 10);
    never_two_owners(&[&replica], SECOND / 10).await;
    assert_eq!(replica.owned(), OBJECTS as usize);
    assert!(started.elapsed() <= SECOND / 10);
    assert_eq!(server.holders().len(), 10);
    assert_eq!(
        replica.share.holder("default", "1"),
        server.holders().into_values().next()
    );
}

#[tokio::test(start_paused = true)]
async fn a_holder_keeps_its_lease_with_one_write_in_half_a_deadline() {
    let server = server_with_pods("a");
    let replica = Replica::join(&server, 0, identity('a'), 1);
    replica.gained().await;
    let term = replica.term(0).unwrap();
    let worked = timeout(3600 * SECOND, term.guard(std::future::pending::<()>())).await;
    assert!(worked.is_err(), "the term never ends");
    let writes = server.writes();
    assert!((720..910).contains(&writes), "{writes} in an hour");
}

#[tokio::test(start_paused = true)]
async fn who_is_cut_off_stops_before_another_begins() {
    let server = server_with_pods("ab");
    let first = Replica::join(&server, 0, identity('a'), 1);
    first.gained().await;
    let second = Replica::join(&server, 1, identity('b'), 1);
    never_two_owners(&[&first, &second], 7 * SECOND).await;
    let (holder, other, cut) = if first.owned() > 0 {
        (first, second, 0)
    } else {
        (second, first, 1)
    };
    server.cut(cut);
    let started = Instant::now();
    let stopped = async {
        let _ = holder
            .term(0)
            .unwrap()
            .guard(std::future::pending::<()>())
            .await;
        started.elapsed()
    };
    let begun = async {
        other.gained().await;
        started.elapsed()
    };
    let both = [&holder, &other];
    let (stopped, begun, _) = tokio::join!(stopped, begun, never_two_owners(&both, 30 * SECOND));
    // The deadline is 10 s after a renewal, the renewal at most 5 s old; others wait for 15 s more
    // than that, and for a retry period at most.
    assert!(
        stopped >= 5 * SECOND && stopped <= 10 * SECOND,
        "{stopped:?}"
    );
    assert!(
        begun > stopped + 4 * SECOND && begun <= 17 * SECOND,
        "{begun:?}"
    );
    server.mend(cut);
    never_two_owners(&both, 60 * SECOND).await;
    assert_eq!(holder.owned() + other.owned(), OBJECTS as usize);
}

#[tokio::test(start_paused = true)]
async fn a_silent_stranger_is_waited_for() {
    let server = server_with_pods("a");
    server.put("leases", &format!("{STEM}00-of-01"), lease_of("laptop_1"));
    let started = Instant::now();
    let replica = Replica::join(&server, 0, identity('a'), 1);
    replica.gained().await;
    assert!((15 * SECOND..16 * SECOND).contains(&started.elapsed()));
}

#[tokio::test(start_paused = true)]
async fn the_dead_are_not_waited_for() {
    let container = |state: Value| {
        json!({ "status": { "phase": "Running", "containerStatuses": [{
            "name": "controller", "image": "", "imageID": "", "ready": false, "restartCount": 1,
            "state": state,
        }] } })
    };
    for (case, pod) in [
        ("gone", None),
        ("evicted", Some(json!({ "status": { "phase": "Failed" } }))),
        (
            "crashed",
            Some(container(
                json!({ "waiting": { "reason": "CrashLoopBackOff" } }),
            )),
        ),
    ] {
        let server = server_with_pods("a");
        if let Some(pod) = pod {
            server.put("pods", &pod_name('z'), pod);
        }
        server.put(
            "leases",
            &format!("{STEM}00-of-01"),
            lease_of("controller-7d-z_1"),
        );
        let started = Instant::now();
        let replica = Replica::join(&server, 0, identity('a'), 1);
        replica.gained().await;
        assert!(started.elapsed() < SECOND / 10, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_restarted_container_goes_on_at_once() {
    let server = server_with_pods("a");
    server.put(
        "leases",
        &format!("{STEM}00-of-01"),
        lease_of("controller-7d-a_before"),
    );
    let started = Instant::now();
    let replica = Replica::join(&server, 0, identity('a'), 1);
    replica.gained().await;
    assert!(started.elapsed() < SECOND / 10);
}

#[tokio::test(start_paused = true)]
async fn a_killed_pod_is_replaced_as_soon_as_it_is_gone() {
    let server = server_with_pods("ab");
    let killed = Replica::join(&server, 0, identity('a'), 10);
    never_two_owners(&[&killed], SECOND).await;
    let survivor = Replica::join(&server, 1, identity('b'), 10);
    server.cut(0);
    server.delete("pods", &pod_name('a'));
    // Its process is gone with it; here it only hears nothing any more.
    drop(killed);
    sleep(SECOND / 10).await;
    assert_eq!(survivor.owned(), OBJECTS as usize);
}

#[tokio::test(start_paused = true)]
async fn who_is_deposed_by_mistake_stops_at_once() {
    // Deleted by force, but still running, as on a node that is slow to hear of it.
    let server = server_with_pods("ab");
    let deleted = Replica::join(&server, 0, identity('a'), 10);
    never_two_owners(&[&deleted], SECOND).await;
    let survivor = Replica::join(&server, 1, identity('b'), 10);
    sleep(SECOND).await;
    server.delete("pods", &pod_name('a'));
    sleep(SECOND / 10).await;
    assert_eq!((deleted.owned(), survivor.owned()), (0, OBJECTS as usize));
}

#[tokio::test(start_paused = true)]
async fn who_leaves_finishes_its_work_and_hands_over_at_once() {
    let server = server_with_pods("ab");
    let leaving = Replica::join(&server, 0, identity('a'), 1);
    leaving.gained().await;
    let waiting = Replica::join(&server, 1, identity('b'), 1);
    sleep(SECOND).await;
    let pass = tokio::spawn(leaving.term(0).unwrap().guard(sleep(SECOND)));
    let mut leaving_pod = running_pod();
    leaving_pod["metadata"] = json!({ "deletionTimestamp": "2026-11-21T00:00:00Z" });
    server.put("pods", &pod_name('a'), leaving_pod);
    let started = Instant::now();
    let ((), ()) = tokio::join!(leaving.leave(), waiting.gained());
    assert_eq!(pass.await.unwrap(), Ok(()));
    assert!((SECOND..SECOND + SECOND / 10).contains(&started.elapsed()));
    waiting.leave().await;
    assert_eq!(server.holders(), BTreeMap::new());
}

#[tokio::test(start_paused = true)]
async fn two_that_begin_together_never_share_a_part() {
    let server = Server::default();
    // Outside of pods nobody knows of the other: all ten parts are raced for.
    let one = Replica::join(&server, 0, Identity::of_process(None), 10);
    let other = Replica::join(&server, 1, Identity::of_process(None), 10);
    never_two_owners(&[&one, &other], 60 * SECOND).await;
    assert_eq!(one.owned() + other.owned(), OBJECTS as usize);
}

#[tokio::test(start_paused = true)]
async fn parts_spread_over_replicas_that_come() {
    let server = server_with_pods("a");
    let first = Replica::join(&server, 0, identity('a'), 10);
    never_two_owners(&[&first], SECOND).await;
    let others = ['b', 'c'].map(|letter| {
        server.put("pods", &pod_name(letter), running_pod());
        Replica::join(&server, letter as usize, identity(letter), 10)
    });
    let replicas = [&first, &others[0], &others[1]];
    assert_eq!(
        never_two_owners(&replicas, 14 * SECOND).await,
        Duration::ZERO,
        "too early"
    );
    let ownerless = never_two_owners(&replicas, 20 * SECOND).await;
    assert!(ownerless <= 2 * SECOND, "{ownerless:?} without an owner");
    let shares = replicas.map(Replica::owned);
    assert!(shares.iter().all(|share| *share > 0), "{shares:?}");
    assert_eq!(shares.iter().sum::<usize>(), OBJECTS as usize);
    let moved = server.holders();
    assert_eq!(
        never_two_owners(&replicas, 120 * SECOND).await,
        Duration::ZERO
    );
    assert_eq!(server.holders(), moved, "then they stay");
}

#[tokio::test(start_paused = true)]
async fn parts_with_a_memory_stay() {
    let server = server_with_pods("ab");
    let first = Replica::join_for(&server, 0, identity('a'), 10, Sharing::Sticky);
    sleep(5 * SECOND).await;
    let second = Replica::join_for(&server, 1, identity('b'), 10, Sharing::Sticky);
    never_two_owners(&[&first, &second], 120 * SECOND).await;
    assert_eq!((first.owned(), second.owned()), (OBJECTS as usize, 0));
}

#[tokio::test(start_paused = true)]
async fn another_number_of_parts_is_taken_over_without_an_overlap() {
    let server = server_with_pods("ab");
    let replicas =
        ['a', 'b'].map(|letter| Replica::join(&server, letter as usize, identity(letter), 1));
    let both = [&replicas[0], &replicas[1]];
    never_two_owners(&both, 20 * SECOND).await;
    for (buckets, lag) in [(10, 3), (3, 0), (10, 1), (1, 1)] {
        replicas[0].settings.send_replace(settings(buckets));
        never_two_owners(&both, lag * SECOND).await;
        replicas[1].settings.send_replace(settings(buckets));
        never_two_owners(&both, 20 * SECOND).await;
        assert_eq!(
            replicas[0].owned() + replicas[1].owned(),
            OBJECTS as usize,
            "{buckets}"
        );
        let suffix = format!("-of-{buckets:02}");
        let holders = server.holders();
        assert!(
            holders.keys().all(|name| name.ends_with(&suffix)),
            "{holders:?}"
        );
        assert_eq!(holders.len(), buckets as usize);
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_taken_back_while_replicas_come_costs_nobody_his_share() {
    let server = server_with_pods("a");
    let first = Replica::join(&server, 0, identity('a'), 10);
    never_two_owners(&[&first], SECOND).await;
    first.settings.send_replace(settings(1));
    never_two_owners(&[&first], SECOND / 10).await;
    first.settings.send_replace(settings(10));
    let others = ['b', 'c'].map(|letter| {
        server.put("pods", &pod_name(letter), running_pod());
        Replica::join(&server, letter as usize, identity(letter), 10)
    });
    let replicas = [&first, &others[0], &others[1]];
    never_two_owners(&replicas, 60 * SECOND).await;
    let shares = replicas.map(Replica::owned);
    assert!(shares.iter().all(|share| *share > 0), "{shares:?}");
    assert_eq!(shares.iter().sum::<usize>(), OBJECTS as usize);
}

#[tokio::test(start_paused = true)]
async fn old_leases_of_the_dead_are_cleared() {
    let server = server_with_pods("a");
    server.put(
        "leases",
        &format!("{STEM}02-of-03"),
        lease_of("controller-7d-z_1"),
    );
    let replica = Replica::join(&server, 0, identity('a'), 1);
    replica.gained().await;
    let names: Vec<_> = server.holders().into_keys().collect();
    assert_eq!(names, [format!("{STEM}00-of-01")]);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_lease_is_made_again() {
    let server = server_with_pods("a");
    let replica = Replica::join(&server, 0, identity('a'), 1);
    replica.gained().await;
    let term = replica.term(0).unwrap();
    server.delete("leases", &format!("{STEM}00-of-01"));
    sleep(SECOND / 10).await;
    assert!(term.is_over(), "the part was anybody's for a moment");
    assert_eq!(replica.owned(), OBJECTS as usize);
}
