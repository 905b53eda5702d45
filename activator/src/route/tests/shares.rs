//! Shares follow the weights.

use proptest::prelude::{ProptestConfig, Strategy, any, proptest};

use crate::revision::RevisionId;
use crate::route::{Split, Target, choose};

fn splits(weights: &[u32]) -> Vec<Split> {
    let split = |(index, weight): (usize, &u32)| Split {
        weight: *weight,
        target: Target::Revision(RevisionId::new("shop", &index.to_string())),
        set: Vec::new(),
    };
    weights.iter().enumerate().map(split).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn shares_follow_the_weights(weights in proptest::collection::vec(1_u32..=100, 1..8)) {
        const ROLLS: u32 = 20_000;
        let splits = splits(&weights);
        let total: u32 = weights.iter().sum();
        let mut hits = vec![0_u32; weights.len()];
        for step in 0..ROLLS {
            let split = choose(&splits, step * (u32::MAX / ROLLS)).unwrap();
            hits[splits.iter().position(|other| other.target == split.target).unwrap()] += 1;
        }
        for (hits, weight) in hits.iter().zip(&weights) {
            let expected = f64::from(*weight) / f64::from(total);
            let share = f64::from(*hits) / f64::from(ROLLS);
            assert!((share - expected).abs() < 0.001, "{share} for {expected}");
        }
    }

    #[test]
    fn every_roll_falls_on_a_split(
        weights in proptest::collection::vec(1_u32..=100, 1..8),
        roll in any::<u32>().prop_map(|roll| roll),
    ) {
        assert!(choose(&splits(&weights), roll).is_some());
    }
}
