//! Replicas that come, go, die, are cut off and learn of new settings at different moments: no object
//! ever has two owners, and each has one when there is peace.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::{Duration, sleep};

use super::api::Server;
use super::{
    OBJECTS, Replica, SECOND, identity, never_two_owners, pod_name, running_pod, settings,
};

const REPLICAS: usize = 3;
const EVENTS: usize = 30;

struct Turmoil {
    server: Server,
    random: StdRng,
    replicas: Vec<Member>,
    joined: u8,
    buckets: u32,
}

struct Member {
    number: u8,
    replica: Replica,
    cut: bool,
}

impl Turmoil {
    fn new(seed: u64) -> Self {
        let server = Server::default();
        server.slow_down(Duration::from_millis(50));
        let mut turmoil = Self {
            server,
            random: StdRng::seed_from_u64(seed),
            replicas: Vec::new(),
            joined: 0,
            buckets: 1,
        };
        (0..REPLICAS).for_each(|_| turmoil.join());
        turmoil
    }

    fn join(&mut self) {
        let number = self.joined;
        self.joined += 1;
        let letter = char::from(b'a' + number % 26);
        let identity = identity(letter);
        self.server.put("pods", &pod_name(letter), running_pod());
        let replica = Replica::join(&self.server, number.into(), identity, self.buckets);
        self.replicas.push(Member {
            number,
            replica,
            cut: false,
        });
    }

    fn remove(&mut self) -> Member {
        let index = self.random.random_range(0..self.replicas.len());
        self.replicas.swap_remove(index)
    }

    async fn watch(&self, time: Duration) -> Duration {
        let replicas: Vec<_> = self.replicas.iter().map(|member| &member.replica).collect();
        never_two_owners(&replicas, time).await
    }

    async fn happen(&mut self) {
        match self.random.random_range(0..5) {
            0 => self.kill().await,
            1 => self.stop().await,
            2 => self.cut_or_mend(),
            3 => self.configure().await,
            _ => {}
        }
        let calm = Duration::from_millis(self.random.random_range(0..12_000));
        self.watch(calm).await;
    }

    /// Dead, and its pod is gone a moment later.
    async fn kill(&mut self) {
        let member = self.remove();
        self.server.cut(member.number.into());
        member.replica.tasks.shutdown().request();
        drop(member.replica);
        let letter = char::from(b'a' + member.number % 26);
        self.watch(SECOND).await;
        self.server.delete("pods", &pod_name(letter));
        self.join();
    }

    async fn stop(&mut self) {
        let member = self.remove();
        self.join();
        let leaving = member.replica.leave();
        let watching = self.watch(SECOND);
        tokio::join!(leaving, watching);
        let letter = char::from(b'a' + member.number % 26);
        self.server.delete("pods", &pod_name(letter));
    }

    fn cut_or_mend(&mut self) {
        let index = self.random.random_range(0..self.replicas.len());
        let member = &mut self.replicas[index];
        member.cut = !member.cut;
        if member.cut {
            self.server.cut(member.number.into());
        } else {
            self.server.mend(member.number.into());
        }
    }

    /// Replicas hear of it one after the other.
    async fn configure(&mut self) {
        self.buckets = [1, 3, 10][self.random.random_range(0..3)];
        for index in 0..self.replicas.len() {
            let lag = Duration::from_millis(self.random.random_range(0..1_500));
            self.watch(lag).await;
            let settings = settings(self.buckets);
            self.replicas[index].replica.settings.send_replace(settings);
        }
    }

    async fn end(&mut self) {
        for member in &self.replicas {
            self.server.mend(member.number.into());
        }
        self.watch(120 * SECOND).await;
        let owned: usize = self
            .replicas
            .iter()
            .map(|member| member.replica.owned())
            .sum();
        assert_eq!(owned, OBJECTS as usize);
        assert_eq!(self.server.holders().len(), self.buckets as usize);
    }
}

#[tokio::test(start_paused = true)]
async fn in_any_turmoil_no_object_has_two_owners() {
    for seed in 0..4 {
        println!("seed {seed}");
        let mut turmoil = Turmoil::new(seed);
        for _ in 0..EVENTS {
            turmoil.happen().await;
        }
        turmoil.end().await;
        // The last of it must not disturb the next.
        sleep(SECOND).await;
    }
}
