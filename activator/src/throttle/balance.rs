//! Which pod gets a request. Pure: loads and dice are arguments.

/// Index of the pod for the next request among `pods`, or None when all are full. The less loaded
/// of two random ones; when that one is full, the next one that is `free`.
pub(super) fn pick(
    pods: usize,
    load: impl Fn(usize) -> u32,
    free: impl Fn(usize) -> bool,
    dice: (u32, u32),
) -> Option<usize> {
    let first = roll(dice.0, pods)?;
    let second = match roll(dice.1, pods - 1) {
        Some(other) if other >= first => other + 1,
        Some(other) => other,
        None => first,
    };
    let better = if load(second) < load(first) {
        second
    } else {
        first
    };
    if free(better) {
        return Some(better);
    }
    (first + 1..pods).chain(0..first).find(|pod| free(*pod))
}

/// One of `sides`, each as likely as the others.
fn roll(dice: u32, sides: usize) -> Option<usize> {
    let scaled = (u64::from(dice) * u64::try_from(sides).ok()?) >> u32::BITS;
    if sides == 0 {
        None
    } else {
        usize::try_from(scaled).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::pick;

    /// 0 is no limit.
    fn free(loads: &[u32], limit: u32) -> impl Fn(usize) -> bool {
        move |pod| limit == 0 || loads[pod] < limit
    }

    const HIGH: u32 = u32::MAX;

    #[test]
    fn less_loaded_of_two_gets_the_request() {
        // loads, limit, dice, expected
        type Dice = (u32, u32);
        let cases: [(&[u32], u32, Dice, Option<usize>); 9] = [
            (&[], 0, (0, 0), None),
            (&[7], 0, (HIGH, HIGH), Some(0)),
            (&[3, 1], 0, (0, 0), Some(1)),
            (&[3, 1], 0, (HIGH, HIGH), Some(1)),
            (&[0, 9, 5], 0, (HIGH, HIGH), Some(2)),
            (&[1], 1, (0, 0), None),
            (&[1, 1, 0], 1, (0, 0), Some(2)),
            (&[1, 1, 1], 1, (0, 0), None),
            (&[2, 1, 1], 2, (0, 0), Some(1)),
        ];
        for (loads, limit, dice, expected) in cases {
            let picked = pick(loads.len(), |pod| loads[pod], free(loads, limit), dice);
            assert_eq!(picked, expected, "{loads:?} limit {limit}");
        }
    }

    proptest! {
        #[test]
        fn free_slots_are_always_found_and_full_pods_never_chosen(
            loads in proptest::collection::vec(0_u32..4, 0..12),
            limit in 1_u32..4,
            dice in any::<(u32, u32)>(),
        ) {
            let picked = pick(loads.len(), |pod| loads[pod], free(&loads, limit), dice);
            match picked {
                Some(pod) => assert!(loads[pod] < limit),
                None => assert!(loads.iter().all(|load| *load >= limit)),
            }
        }
    }
}
