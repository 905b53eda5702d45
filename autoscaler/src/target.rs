//! What one pod should carry (contract/data-plane 1.3).

/// Least that a pod is ever expected to carry.
const LEAST: f64 = 0.01;

/// What is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Metric {
    /// Requests in flight.
    #[default]
    Concurrency,
    /// Requests per second.
    Rps,
}

/// What a pod carries. Mixing up the two is the classic error: `per_pod` gives the number of
/// pods, `total` gives spare capacity and the number of activators.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// What a pod can carry.
    pub total: f64,
    /// What a pod should carry: `total` times the utilisation that is aimed at.
    pub per_pod: f64,
}

/// What a target is made from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wishes {
    /// What is measured.
    pub metric: Metric,
    /// Hard limit of requests in flight per pod; 0 is none.
    pub container_concurrency: f64,
    /// Total where nothing else is said.
    pub default_total: f64,
    /// Total that the revision asks for.
    pub total: Option<f64>,
    /// Utilisation to aim at, above 0 and at most 1.
    pub utilization: f64,
}

impl Wishes {
    /// The target: the revision's own total, but never above its hard limit; without one the
    /// hard limit, or the default.
    pub fn resolve(self) -> Target {
        let limit = match self.metric {
            Metric::Concurrency if self.container_concurrency > 0.0 => {
                Some(self.container_concurrency)
            }
            Metric::Concurrency | Metric::Rps => None,
        };
        let total = match (self.total, limit) {
            (Some(asked), Some(limit)) => asked.min(limit),
            (Some(asked), None) => asked,
            (None, Some(limit)) => limit,
            (None, None) => self.default_total,
        };
        Target {
            total,
            per_pod: (total * self.utilization).max(LEAST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Metric::{Concurrency, Rps};
    use super::{Target, Wishes};

    #[test]
    fn targets_follow_limit_wish_and_utilization() {
        let table = [
            // metric, limit, default, asked, utilization, total, per pod
            (Concurrency, 0.0, 100.0, None, 0.7, 100.0, 70.0),
            (Concurrency, 10.0, 100.0, None, 0.7, 10.0, 7.0),
            (Concurrency, 10.0, 100.0, Some(3.0), 0.7, 3.0, 2.1),
            (Concurrency, 10.0, 100.0, Some(30.0), 0.7, 10.0, 7.0),
            (Concurrency, 0.0, 100.0, Some(30.0), 1.0, 30.0, 30.0),
            (Concurrency, 0.0, 100.0, Some(0.01), 0.5, 0.01, 0.01),
            (Rps, 10.0, 200.0, None, 0.7, 200.0, 140.0),
            (Rps, 10.0, 200.0, Some(50.0), 0.8, 50.0, 40.0),
        ];
        for (metric, container_concurrency, default_total, asked, utilization, total, per_pod) in
            table
        {
            let wishes = Wishes {
                metric,
                container_concurrency,
                default_total,
                total: asked,
                utilization,
            };
            let Target {
                total: got_total,
                per_pod: got,
            } = wishes.resolve();
            assert!(
                (got_total - total).abs() < 1e-9,
                "{wishes:?}: total {got_total}"
            );
            assert!((got - per_pod).abs() < 1e-9, "{wishes:?}: per pod {got}");
        }
    }
}
