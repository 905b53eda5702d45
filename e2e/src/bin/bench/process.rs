//! What the processes of a container have used, read where they run: on this machine, under the
//! embedded cluster.

use std::fs;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;

/// Ticks of the kernel's clock for processes in a second; so on every Linux that people run.
const TICKS: f64 = 100.0;
const KIBIBYTES_IN_MEBIBYTE: f64 = 1024.0;

/// What has been used since the processes started.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    /// Seconds of one core.
    pub(crate) cpu: f64,
    /// Resident memory just now, in MiB.
    pub(crate) resident: f64,
}

/// What the processes of `container` in `pods` have used. Fails if there is none here.
pub(crate) fn used(pods: &[Pod], container: &str) -> Result<Used> {
    let ids: Vec<&str> = pods.iter().filter_map(|pod| id(pod, container)).collect();
    ensure!(!ids.is_empty(), "no container {container} runs");
    let mut all = Used::default();
    let mut found = 0;
    for entry in fs::read_dir("/proc")?.flatten() {
        let path = entry.path();
        // A process may end while it is looked at.
        let Ok(cgroup) = fs::read_to_string(path.join("cgroup")) else {
            continue;
        };
        if !ids.iter().any(|id| cgroup.contains(id)) {
            continue;
        }
        let stat = fs::read_to_string(path.join("stat"))?;
        let status = fs::read_to_string(path.join("status"))?;
        all.cpu += cpu(&stat).with_context(|| format!("times in {stat:?}"))?;
        all.resident += resident(&status).unwrap_or_default();
        found += 1;
    }
    ensure!(found > 0, "{container} does not run on this machine");
    Ok(all)
}

fn id<'a>(pod: &'a Pod, container: &str) -> Option<&'a str> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let status = statuses.iter().find(|status| status.name == container)?;
    let (_, id) = status.container_id.as_ref()?.split_once("://")?;
    Some(id)
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
    use super::{cpu, resident};

    #[test]
    fn times_stand_behind_the_name() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 3 0 100 1 1";
        assert_eq!(cpu(stat), Some(3.0));
        assert_eq!(resident("Name:\tx\nVmRSS:\t    2048 kB\n"), Some(2.0));
    }
}
