//! What the elector sees: leases, pods and settings as they change.

use std::sync::Arc;

use crds::config::Settings;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use tokio::time::Instant;

use super::Elector;
use super::chair::{Chair, Set};
use crate::kube::lease::part::Part;
use crate::kube::lease::record::{Record, is_older, version};
use crate::kube::lease::seat::Rules;
use crate::kube::watch::Watched;

impl Elector {
    /// A lease has changed, or was deleted.
    pub(super) fn saw(&mut self, leases: &Watched<Lease>, changed: &Lease) {
        let (name, now) = (changed.name_any(), Instant::now());
        let stored = self.stored(leases, &name);
        let Some(chair) = self.chairs.get_mut(&name) else {
            if let Some(lease) = stored {
                self.saw_old(&lease);
            }
            return;
        };
        let record = stored.as_deref().map(Record::of);
        // A deletion that comes late tells nothing of what we have written since.
        let known = chair.seat.record().map(|record| record.version.as_str());
        let late = known.is_some_and(|known| is_older(version(changed), known));
        if record.is_some() || !late {
            chair.seat.saw(record, now);
            self.sets[chair.set].show(chair);
        }
    }

    /// A lease that is none of those we compete for: one of an old cut must be free before those of
    /// the new are taken.
    fn saw_old(&mut self, lease: &Lease) {
        let name = lease.name_any();
        let part_of = |set: &Set| Part::named_by(&name, &set.stem);
        let mut sets = self.sets.iter().enumerate();
        if let Some((set, part)) = sets.find_map(|(index, set)| Some((index, part_of(set)?))) {
            let record = Record::of(lease);
            let chair = Chair::new(set, part, Some(record), Instant::now());
            let chair = Chair { old: true, ..chair };
            self.chairs.entry(name).or_insert(chair);
        }
    }

    pub(super) fn look_at(&mut self, pods: &Watched<Pod>) {
        let pods = pods.store().state();
        let pods = pods.iter().map(|pod| &**pod);
        self.peers.update(&self.identity, pods, Instant::now());
    }

    /// Takes over the settings: times at once; another cut, or other names, by giving back what has
    /// the old names.
    pub(super) fn arrange(&mut self, settings: &Settings, leases: &Watched<Lease>) {
        let config = &settings.leader_election;
        self.rules = Rules::from(config);
        for index in 0..self.sets.len() {
            let set = &mut self.sets[index];
            if !set.cut(config) {
                continue;
            }
            let (stem, parts) = (set.stem.clone(), set.parts);
            let of_set = self.chairs.values_mut().filter(|chair| chair.set == index);
            of_set.for_each(|chair| chair.old = true);
            for part in Part::all(parts) {
                let name = part.lease(&stem);
                let seen = self.stored(leases, &name).map(|lease| Record::of(&lease));
                let chair = Chair::new(index, part, seen, Instant::now());
                let chair = self.chairs.entry(name).or_insert(chair);
                chair.old = false;
                self.sets[index].show(chair);
            }
        }
        for lease in leases.store().state() {
            if !self.chairs.contains_key(&lease.name_any()) {
                self.saw_old(&lease);
            }
        }
    }

    fn stored(&self, leases: &Watched<Lease>, name: &str) -> Option<Arc<Lease>> {
        leases
            .store()
            .get(&ObjectRef::new(name).within(&self.namespace))
    }
}
