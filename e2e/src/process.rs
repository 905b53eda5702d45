//! The processes of containers, where they run on this machine: under the embedded cluster.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use tokio::process::Command;
use tokio::time::{Instant, sleep};

/// Ticks of the kernel's clock for processes in a second; so on every Linux that people run.
const TICKS: f64 = 100.0;
const KIBIBYTES_IN_MEBIBYTE: f64 = 1024.0;
/// How long the kernel may take to end a killed process, and the time between two looks: far shorter than
/// that of [`until`](crate::wait::until), because what a death excuses ends with it.
const LONGEST_DEATH: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(1);

/// What has been used since the processes started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    /// Seconds of one core.
    pub cpu: f64,
    /// Resident memory just now, in MiB.
    pub resident: f64,
}

/// What the processes of `container` in `pods` have used. Fails if there is none here.
pub fn used(pods: &[Pod], container: &str) -> Result<Used> {
    let mut all = Used::default();
    for path in processes(pods, |status| status.name == container)? {
        let stat = fs::read_to_string(path.join("stat"))?;
        let status = fs::read_to_string(path.join("status"))?;
        all.cpu += cpu(&stat).with_context(|| format!("times in {stat:?}"))?;
        all.resident += resident(&status).unwrap_or_default();
    }
    Ok(all)
}

/// Ends all processes of the containers of `pod` at once, without farewell, as the kernel does when
/// memory runs out, and returns when they and their connections are gone: a signal only asks the kernel
/// to do so, and until it has, a pod takes requests that it will never answer. Fails if there is none here.
pub async fn kill(pod: &Pod) -> Result<()> {
    let found = processes(std::slice::from_ref(pod), |_| true)?;
    let ids = found.iter().filter_map(|path| path.file_name());
    let killed = Command::new("kill").arg("-9").args(ids).status().await?;
    ensure!(killed.success(), "kill: {killed}");
    let deadline = Instant::now() + LONGEST_DEATH;
    while found.iter().any(|path| is_alive(path)) {
        ensure!(Instant::now() < deadline, "a killed process lives on");
        sleep(LOOK).await;
    }
    Ok(())
}

/// One whose parent has not asked how it ended is still listed, but has nothing any more.
fn is_alive(process: &Path) -> bool {
    fs::read_to_string(process.join("stat"))
        .is_ok_and(|stat| !matches!(state(&stat), Some("Z" | "X")))
}

/// The folders under `/proc` of what runs in the containers that `wanted` picks; at least one.
fn processes(pods: &[Pod], wanted: impl Fn(&ContainerStatus) -> bool) -> Result<Vec<PathBuf>> {
    let statuses = pods.iter().filter_map(|pod| pod.status.as_ref());
    let containers = statuses.flat_map(|status| status.container_statuses.iter().flatten());
    let ids: Vec<&str> = containers
        .filter(|container| wanted(container))
        .filter_map(|container| Some(container.container_id.as_ref()?.split_once("://")?.1))
        .collect();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        // A process may end while it is looked at.
        let Ok(cgroup) = fs::read_to_string(entry.path().join("cgroup")) else {
            continue;
        };
        if ids.iter().any(|id| cgroup.contains(id)) {
            found.push(entry.path());
        }
    }
    ensure!(!found.is_empty(), "no such container runs on this machine");
    Ok(found)
}

/// Field 3; the name before it may contain spaces.
fn state(stat: &str) -> Option<&str> {
    stat.rsplit_once(')')?.1.split_whitespace().next()
}

/// User and system time, fields 14 and 15; the name before them may contain spaces.
fn cpu(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS)
}

fn resident(status: &str) -> Option<f64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes / KIBIBYTES_IN_MEBIBYTE)
}

#[cfg(test)]
mod tests {
    use super::{cpu, resident, state};

    #[test]
    fn times_stand_behind_the_name() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 3 0 100 1 1";
        assert_eq!(cpu(stat), Some(3.0));
        assert_eq!(state(stat), Some("S"));
        assert_eq!(resident("Name:\tx\nVmRSS:\t    2048 kB\n"), Some(2.0));
    }
}
