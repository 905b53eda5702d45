//! What the parts of Fermata measure, read through the API server.

use anyhow::{Context, Result, ensure};
use http::Request;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Resource, ResourceExt};

use crate::cluster::{Cluster, SYSTEM};

/// Port of the metrics of every part.
const PORT: u16 = 9090;
/// The counter that every client of the API server has.
const REQUESTS: &str = "fermata_api_requests_total";
/// Verbs of requests that change nothing.
const READS: [&str; 3] = ["get", "list", "watch"];

/// The metrics of all replicas of one part at one moment.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    lines: Vec<(String, f64)>,
}

impl Metrics {
    /// Reads what the pods with the label `app` say.
    pub async fn of(cluster: &Cluster, app: &str) -> Result<Self> {
        let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), SYSTEM);
        let ours = ListParams::default().labels(&format!("app={app}"));
        let mut pods = pods.list(&ours).await?.items;
        // One that ends is gone before it is asked.
        pods.retain(|pod| pod.meta().deletion_timestamp.is_none());
        ensure!(!pods.is_empty(), "no pod of {app}");
        let mut lines = Vec::new();
        for pod in pods {
            let name = pod.name_any();
            let path = format!("/api/v1/namespaces/{SYSTEM}/pods/{name}:{PORT}/proxy/metrics");
            let request = Request::get(path).body(Vec::new())?;
            let text = cluster.client.request_text(request).await;
            let text = text.with_context(|| format!("no metrics of {name}"))?;
            lines.extend(text.lines().filter_map(line));
        }
        Ok(Self { lines })
    }

    /// Reads a page of metrics.
    pub fn read(page: &str) -> Self {
        Self {
            lines: page.lines().filter_map(line).collect(),
        }
    }

    /// How many series a metric has.
    pub fn count(&self, name: &str) -> usize {
        self.lines
            .iter()
            .filter(|(key, _)| is_of(key, name))
            .count()
    }

    /// The sum of a metric, over all replicas and labels.
    pub fn sum(&self, name: &str) -> f64 {
        self.select(name, |_| true)
    }

    /// The same of the series whose labels contain all of `parts`.
    pub fn sum_of(&self, name: &str, parts: &[&str]) -> f64 {
        self.select(name, |key| parts.iter().all(|part| key.contains(part)))
    }

    /// The highest value of a metric among the replicas.
    pub fn max(&self, name: &str) -> f64 {
        let ours = self.lines.iter().filter(|(key, _)| is_of(key, name));
        ours.map(|(_, value)| *value).fold(0.0, f64::max)
    }

    /// Requests to the API server that may have changed something. Leases don't count: they are
    /// renewed whether there is work or not.
    pub fn writes(&self) -> f64 {
        self.select(REQUESTS, is_write)
    }

    /// The same by verb and resource, for people: those that came since `before`, leases too.
    pub fn writes_since(&self, before: &Self) -> Vec<(String, f64)> {
        let value = |all: &Self, key: &str| all.select(key, |_| true);
        let keys = self.lines.iter().map(|(key, _)| key);
        let mut keys: Vec<&String> = keys
            .filter(|key| is_of(key, REQUESTS) && !is_read(key))
            .collect();
        keys.sort();
        keys.dedup();
        let since = keys.into_iter().map(|key| {
            let count = value(self, key) - value(before, key);
            (key.replace(REQUESTS, ""), count)
        });
        since.filter(|(_, count)| *count > 0.0).collect()
    }

    fn select(&self, name: &str, pick: impl Fn(&str) -> bool) -> f64 {
        let ours = self
            .lines
            .iter()
            .filter(|(key, _)| is_of(key, name) && pick(key));
        ours.map(|(_, value)| value).sum()
    }
}

/// Whether `key`, a metric with its labels, is a series of `name`.
fn is_of(key: &str, name: &str) -> bool {
    key.strip_prefix(name)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('{'))
}

fn is_read(key: &str) -> bool {
    READS
        .iter()
        .any(|verb| key.contains(&format!("verb=\"{verb}\"")))
}

fn is_write(key: &str) -> bool {
    !is_read(key) && !key.contains("resource=\"leases.")
}

/// `name{labels} value`.
fn line(text: &str) -> Option<(String, f64)> {
    if text.starts_with('#') {
        return None;
    }
    let (key, value) = text.rsplit_once(' ')?;
    Some((key.to_owned(), value.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{Metrics, line};

    #[test]
    fn writes_are_what_is_no_read_and_no_lease() {
        let text = "# HELP x\nfermata_api_requests_total{resource=\"services\",verb=\"apply\"} 3\n\
                    fermata_api_requests_total{resource=\"services\",verb=\"watch\"} 5\n\
                    fermata_api_requests_total{resource=\"leases.coordination.k8s.io\",verb=\"patch\"} 7\n\
                    fermata_api_requests_total_other 9\n";
        let metrics = Metrics {
            lines: text.lines().filter_map(line).collect(),
        };
        assert_eq!(metrics.writes(), 3.0);
        assert_eq!(metrics.sum("fermata_api_requests_total"), 15.0);
        let since = metrics.writes_since(&Metrics::default());
        assert_eq!(since.len(), 2);
    }
}
