//! How the work of a set is cut: which part an object belongs to, and what its lease is called.

use std::fmt;

/// One part of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Part {
    /// Which one, from zero.
    pub(super) index: u32,
    /// Of how many.
    pub(super) of: u32,
}

impl Part {
    /// All parts of a set that is cut into `of`.
    pub(super) fn all(of: u32) -> impl Iterator<Item = Self> {
        (0..of).map(move |index| Self { index, of })
    }

    /// The part that an object belongs to: the same in every process and release, so two that
    /// count the same parts never both own it.
    pub(super) fn owning(namespace: &str, name: &str, of: u32) -> Self {
        let bytes = namespace.bytes().chain([b'/']).chain(name.bytes());
        let index = hash(bytes) % u64::from(of.max(1));
        Self {
            index: u32::try_from(index).unwrap_or_default(),
            of,
        }
    }

    /// The part that `lease` stands for in the set whose leases begin with `stem`.
    pub(super) fn named_by(lease: &str, stem: &str) -> Option<Self> {
        let (index, of) = lease.strip_prefix(stem)?.split_once("-of-")?;
        let part = Self {
            index: index.parse().ok()?,
            of: of.parse().ok()?,
        };
        // 7 and +07 are numbers as well, but no names that anybody gives.
        (part.lease(stem) == lease).then_some(part)
    }

    /// Name of its lease in the set whose leases begin with `stem`.
    pub(super) fn lease(self, stem: &str) -> String {
        format!("{stem}{self}")
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}-of-{:02}", self.index, self.of)
    }
}

/// FNV-1a, then mixed: short names that differ in one letter land apart. Stable for ever, unlike
/// the hasher of the standard library.
pub(super) fn hash(bytes: impl Iterator<Item = u8>) -> u64 {
    let fnv = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (fnv ^ fnv >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^ mixed >> 33
}

#[cfg(test)]
mod tests {
    use super::Part;

    #[test]
    fn leases_are_named_as_upstream_names_them() {
        let part = Part { index: 3, of: 10 };
        let stem = "controller.knative.dev.serving.pkg.reconciler.route.reconciler.";
        let lease = "controller.knative.dev.serving.pkg.reconciler.route.reconciler.03-of-10";
        assert_eq!(part.lease(stem), lease);
        assert_eq!(Part::named_by(lease, stem), Some(part));
        assert_eq!(
            part.lease("autoscaler-bucket-"),
            "autoscaler-bucket-03-of-10"
        );
        for foreign in ["x", "x.3-of-10", "x.03-of-", "x.+3-of-10", "y.03-of-10"] {
            assert_eq!(Part::named_by(foreign, "x."), None, "{foreign}");
        }
    }

    #[test]
    fn an_object_belongs_to_the_same_part_for_ever() {
        let owning = |name, of| Part::owning("default", name, of).index;
        assert_eq!(owning("hello", 1), 0);
        assert_eq!([owning("hello", 10), owning("canary", 10)], [8, 4]);
    }

    #[test]
    fn every_part_has_its_share() {
        let mut counts = [0; 10];
        for number in 0..10_000 {
            let part = Part::owning("default", &format!("service-{number}"), 10);
            counts[part.index as usize] += 1;
        }
        assert!(
            counts.iter().all(|count| (900..1100).contains(count)),
            "{counts:?}"
        );
    }
}
