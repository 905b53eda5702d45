use std::time::Duration;

use super::{Gauges, RevisionGauges};
use crate::decide::{Decision, Load, Rule};
use crate::pods::PodCounts;
use crate::rules::Rules;
use crds::autoscaling::PodAutoscaler;
use crds::config::Settings;
use prometheus::Registry;

#[test]
fn a_revision_shows_its_own_metric_and_leaves_nothing_behind() {
    let registry = Registry::new();
    let gauges = Gauges::new(&registry).unwrap();
    let names = || {
        let families = registry.gather();
        families
            .iter()
            .map(|family| family.name().to_owned())
            .collect::<Vec<_>>()
    };
    let labels = ["hello", "hello", "hello-00001", "ns"].map(str::to_owned);
    let revision = gauges.revision(labels.clone());
    let rules = Rules::read(&PodAutoscaler::default(), &Settings::default());
    let decision = Decision {
        wanted: Some(2),
        by_load: Some(3),
        excess_burst: -8,
        panicking: true,
        rule: Rule::MaxScale,
    };
    let load = Some(Load {
        stable: 150.0,
        panic: 160.0,
    });
    revision.show(&rules, PodCounts::default(), load, &decision, Some(2));
    assert_eq!(names().len(), 11);
    assert!(
        !names()
            .iter()
            .any(|name| name.starts_with("kn_revision_rps"))
    );
    let text = prometheus::TextEncoder::new()
        .encode_to_string(&registry.gather())
        .unwrap();
    let of = "{k8s_namespace_name=\"ns\",kn_configuration_name=\"hello\",kn_revision_name=\"hello-00001\",kn_service_name=\"hello\"}";
    for line in [
        format!("kn_revision_pods_desired{of} 3"),
        format!("kn_revision_pods_requested{of} 2"),
        format!("kn_revision_capacity_excess{of} -8"),
        format!("kn_revision_panic_mode{of} 1"),
        format!("kn_revision_concurrency_panic{of} 160"),
        format!("kn_revision_concurrency_target{of} 70"),
    ] {
        assert!(text.contains(&line), "{line} is missing in\n{text}");
    }
    let anew = gauges.revision(labels);
    anew.show(&rules, PodCounts::default(), None, &decision, None);
    drop(revision);
    assert_eq!(
        names().len(),
        11,
        "those of the revision that was made anew"
    );
    drop(anew);
    assert!(names().is_empty());
}

/// A revision that has decided once, in a registry.
fn one() -> (Registry, Gauges, RevisionGauges) {
    let registry = Registry::new();
    let gauges = Gauges::new(&registry).unwrap();
    let revision = gauges.revision(["cart", "cart", "cart-00001", "shop"].map(str::to_owned));
    let rules = Rules::read(&PodAutoscaler::default(), &Settings::default());
    let decision = Decision {
        wanted: Some(2),
        by_load: Some(3),
        excess_burst: -8,
        panicking: false,
        rule: Rule::MaxScale,
    };
    revision.show(&rules, PodCounts::default(), None, &decision, Some(2));
    (registry, gauges, revision)
}

fn page(registry: &Registry) -> String {
    prometheus::TextEncoder::new()
        .encode_to_string(&registry.gather())
        .unwrap()
}

#[test]
fn old_names_stand_beside_the_current_ones_while_they_are_wanted() {
    let (registry, gauges, _revision) = one();
    assert!(!page(&registry).contains("autoscaler_"));
    gauges.old_names().set(true);
    let of = "{configuration_name=\"cart\",namespace_name=\"shop\",revision_name=\"cart-00001\",service_name=\"cart\"}";
    let text = page(&registry);
    for line in [
        format!("autoscaler_desired_pods{of} 3"),
        format!("autoscaler_requested_pods{of} 2"),
        format!("autoscaler_excess_burst_capacity{of} -8"),
        format!("autoscaler_target_concurrency_per_pod{of} 70"),
        "kn_revision_pods_desired{".to_owned(),
    ] {
        assert!(text.contains(&line), "{line} is missing in\n{text}");
    }
    gauges.old_names().set(false);
    assert!(!page(&registry).contains("autoscaler_desired"));
}

#[test]
fn scrapes_are_counted_by_configuration_as_long_as_it_has_revisions() {
    let (registry, gauges, revision) = one();
    let next = gauges.revision(["cart", "cart", "cart-00002", "shop"].map(str::to_owned));
    for gauges in [&revision, &next] {
        gauges.scraped(Duration::from_millis(3));
    }
    drop(revision);
    let of =
        "{k8s_namespace_name=\"shop\",kn_configuration_name=\"cart\",kn_service_name=\"cart\"}";
    let count = format!("kn_autoscaler_scrape_duration_seconds_count{of} 2");
    assert!(page(&registry).contains(&count), "{}", page(&registry));
    drop(next);
    assert!(!page(&registry).contains("cart"));
}
