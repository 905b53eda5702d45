//! What the process costs: memory and time, as `/proc` tells it, read when somebody asks.

use std::fs;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, Gauge};

/// Ticks of a second in `/proc/self/stat`: Linux's promise to programs, on every machine.
const TICKS: f64 = 100.0;

/// `process_cpu_seconds_total`, `process_resident_memory_bytes` and
/// `fermata_process_resident_memory_peak_bytes`.
pub struct Process {
    cpu: Counter,
    resident: Gauge,
    peak: Gauge,
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process").finish_non_exhaustive()
    }
}

impl Process {
    /// The metrics of this process.
    ///
    /// # Errors
    /// Never: names and helps are well-formed.
    pub fn new() -> Result<Self, prometheus::Error> {
        Ok(Self {
            cpu: Counter::new(
                "process_cpu_seconds_total",
                "CPU time of the process, in user and system mode",
            )?,
            resident: Gauge::new(
                "process_resident_memory_bytes",
                "Memory of the process that is in RAM",
            )?,
            peak: Gauge::new(
                "fermata_process_resident_memory_peak_bytes",
                "Most memory that the process ever had in RAM",
            )?,
        })
    }

    fn look(&self) {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        for (gauge, field) in [(&self.resident, "VmRSS:"), (&self.peak, "VmHWM:")] {
            if let Some(bytes) = bytes(&status, field) {
                gauge.set(bytes);
            }
        }
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        if let Some(seconds) = cpu_seconds(&stat) {
            self.cpu.inc_by((seconds - self.cpu.get()).max(0.0));
        }
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        let all = [self.cpu.desc(), self.resident.desc(), self.peak.desc()];
        all.into_iter().flatten().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.look();
        let all = [
            self.cpu.collect(),
            self.resident.collect(),
            self.peak.collect(),
        ];
        all.into_iter().flatten().collect()
    }
}

/// A field of `/proc/self/status`, which counts in kB.
fn bytes(status: &str, field: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024.0)
}

/// User and system time in `/proc/self/stat`. The name of the program is in brackets, and may have
/// anything in it.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::{Process, bytes, cpu_seconds};
    use prometheus::core::Collector;

    #[test]
    fn proc_is_read_as_the_kernel_writes_it() {
        let status = "Name:\toperator\nVmHWM:\t   2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(bytes(status, "VmRSS:"), Some(1_048_576.0));
        assert_eq!(bytes(status, "VmSwap:"), None);
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 3 0 5 1 1";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(cpu_seconds("nonsense"), None);
    }

    #[test]
    fn this_process_has_memory() {
        let families = Process::new().unwrap().collect();
        assert_eq!(families.len(), 3);
        assert!(families[1].get_metric()[0].get_gauge().get_value() > 0.0);
    }
}
