//! Readiness as a set of named gates: a process is ready when all of them are open.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// Which parts of the process are still missing.
#[derive(Clone, Debug, Default)]
pub struct Ready {
    gates: Arc<Mutex<BTreeMap<&'static str, State>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Closed,
}

/// One part's say in the readiness of the process. Starts closed.
#[derive(Clone, Debug)]
pub struct Gate {
    name: &'static str,
    ready: Ready,
}

impl Ready {
    /// Adds a gate, closed. The name is shown to people who ask why the process is not ready.
    pub fn gate(&self, name: &'static str) -> Gate {
        self.gates.lock().insert(name, State::Closed);
        Gate {
            name,
            ready: self.clone(),
        }
    }

    /// Names of the gates that are closed, sorted.
    pub fn missing(&self) -> Vec<&'static str> {
        let gates = self.gates.lock();
        gates
            .iter()
            .filter(|(_, state)| **state == State::Closed)
            .map(|(name, _)| *name)
            .collect()
    }
}

impl Gate {
    /// This part can do its work.
    pub fn open(&self) {
        self.ready.gates.lock().insert(self.name, State::Open);
    }

    /// This part can't do its work any more.
    pub fn close(&self) {
        self.ready.gates.lock().insert(self.name, State::Closed);
    }
}

#[cfg(test)]
mod tests {
    use super::Ready;

    #[test]
    fn ready_when_every_gate_is_open() {
        let ready = Ready::default();
        let (routes, pods) = (ready.gate("routes"), ready.gate("pods"));
        assert_eq!(ready.missing(), ["pods", "routes"]);
        routes.open();
        pods.open();
        assert!(ready.missing().is_empty());
        pods.close();
        assert_eq!(ready.missing(), ["pods"]);
    }
}
