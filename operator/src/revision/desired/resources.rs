//! What the sidecar asks for and may take (contract/control-plane 2.4, contract/data-plane 3.1).

use std::collections::BTreeMap;

use crds::config::{DeploymentConfig, Flag};
use crds::quantity;
use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::ResourceExt;

use super::Inputs;

type Resources = BTreeMap<String, Quantity>;

const CPU: &str = "cpu";
const MEMORY: &str = "memory";
const EPHEMERAL_STORAGE: &str = "ephemeral-storage";

/// Both spellings of the share of the user's resources that the sidecar gets.
const PERCENTAGE: [&str; 2] = [
    "queue.sidecar.serving.knative.dev/resource-percentage",
    "queue.sidecar.serving.knative.dev/resourcePercentage",
];

/// Defaults that hold only with the feature `queueproxy.resource-defaults`.
const CPU_LIMIT: &str = "1000m";
const MEMORY_REQUEST: &str = "400Mi";
const MEMORY_LIMIT: &str = "800Mi";

/// The sidecar's resources: config-deployment, over it the share of the user's container, over it
/// what the revision's annotations say.
pub(super) fn of_sidecar(inputs: &Inputs<'_>) -> ResourceRequirements {
    let config = &inputs.settings.deployment;
    let defaults = inputs.settings.features.queueproxy_resource_defaults == Flag::Enabled;
    let annotations = inputs.revision.annotations();
    let user = inputs
        .revision
        .spec
        .serving_container()
        .and_then(|user| user.resources.clone());
    let mut requests = requests(config, defaults);
    let mut limits = limits(config, defaults);
    if let Some(share) = share(annotations) {
        let user = user.unwrap_or_default();
        requests.extend(shares(user.requests.as_ref(), share, &REQUEST_BOUNDS));
        limits.extend(shares(user.limits.as_ref(), share, &LIMIT_BOUNDS));
    }
    requests.extend(asked(annotations, "request"));
    limits.extend(asked(annotations, "limit"));
    ResourceRequirements {
        requests: (!requests.is_empty()).then_some(requests),
        limits: (!limits.is_empty()).then_some(limits),
        claims: None,
    }
}

fn requests(config: &DeploymentConfig, defaults: bool) -> Resources {
    named([
        (CPU, config.queue_sidecar_cpu_request.clone()),
        (
            MEMORY,
            config
                .queue_sidecar_memory_request
                .clone()
                .or(by(defaults, MEMORY_REQUEST)),
        ),
        (
            EPHEMERAL_STORAGE,
            config.queue_sidecar_ephemeral_storage_request.clone(),
        ),
    ])
}

fn limits(config: &DeploymentConfig, defaults: bool) -> Resources {
    named([
        (
            CPU,
            config
                .queue_sidecar_cpu_limit
                .clone()
                .or(by(defaults, CPU_LIMIT)),
        ),
        (
            MEMORY,
            config
                .queue_sidecar_memory_limit
                .clone()
                .or(by(defaults, MEMORY_LIMIT)),
        ),
        (
            EPHEMERAL_STORAGE,
            config.queue_sidecar_ephemeral_storage_limit.clone(),
        ),
    ])
}

fn named(resources: [(&str, Option<Quantity>); 3]) -> Resources {
    let set = resources.into_iter();
    set.filter_map(|(name, quantity)| Some((name.to_owned(), quantity?)))
        .collect()
}

fn by(feature: bool, quantity: &str) -> Option<Quantity> {
    feature.then(|| Quantity(quantity.to_owned()))
}

/// What annotations like `queue.sidecar.serving.knative.dev/cpu-resource-limit` ask for.
fn asked(annotations: &BTreeMap<String, String>, kind: &str) -> Resources {
    let resource = |name: &str| {
        let key = format!("queue.sidecar.serving.knative.dev/{name}-resource-{kind}");
        let text = annotations.get(&key)?;
        Some((name.to_owned(), quantity::parse(text).ok()?))
    };
    [CPU, MEMORY, EPHEMERAL_STORAGE]
        .into_iter()
        .filter_map(resource)
        .collect()
}

/// How the amount of a resource is written.
#[derive(Clone, Copy, Debug)]
enum Unit {
    Cores,
    Bytes,
}

/// Least and most of a resource that a share may come to.
struct Bounds {
    resource: &'static str,
    unit: Unit,
    least: &'static str,
    most: &'static str,
}

const REQUEST_BOUNDS: [Bounds; 2] = [
    Bounds {
        resource: CPU,
        unit: Unit::Cores,
        least: "25m",
        most: "100m",
    },
    Bounds {
        resource: MEMORY,
        unit: Unit::Bytes,
        least: "50Mi",
        most: "200Mi",
    },
];
const LIMIT_BOUNDS: [Bounds; 2] = [
    Bounds {
        resource: CPU,
        unit: Unit::Cores,
        least: "40m",
        most: "500m",
    },
    Bounds {
        resource: MEMORY,
        unit: Unit::Bytes,
        least: "200Mi",
        most: "500Mi",
    },
];

/// The share as a fraction, 0.001 to 1.
fn share(annotations: &BTreeMap<String, String>) -> Option<f64> {
    let text = PERCENTAGE.iter().find_map(|key| annotations.get(*key))?;
    let percentage: f64 = text.parse().ok()?;
    (0.1..=100.0)
        .contains(&percentage)
        .then_some(percentage / 100.0)
}

fn shares(user: Option<&Resources>, share: f64, bounds: &[Bounds]) -> Resources {
    let of = |bounds: &Bounds| {
        let whole = quantity::value(&user?.get(bounds.resource)?.0)?;
        Some((
            bounds.resource.to_owned(),
            Quantity(bounded(whole * share, bounds)),
        ))
    };
    bounds.iter().filter_map(of).collect()
}

fn bounded(amount: f64, bounds: &Bounds) -> String {
    let at = |text| quantity::value(text).unwrap_or_default();
    if amount <= at(bounds.least) {
        return bounds.least.to_owned();
    }
    if amount >= at(bounds.most) {
        return bounds.most.to_owned();
    }
    match bounds.unit {
        Unit::Cores => format!("{:.0}m", (amount * 1000.0).floor()),
        Unit::Bytes => format!("{:.0}", amount.floor()),
    }
}

#[cfg(test)]
mod tests {
    use super::{LIMIT_BOUNDS, REQUEST_BOUNDS, Resources, share, shares};
    use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

    fn resources(cpu: &str, memory: &str) -> Resources {
        [("cpu", cpu), ("memory", memory)]
            .map(|(name, text)| (name.to_owned(), Quantity(text.to_owned())))
            .into()
    }

    #[test]
    fn a_share_stays_within_its_bounds() {
        let user = resources("50m", "128Mi");
        assert_eq!(
            shares(Some(&user), 0.002, &REQUEST_BOUNDS),
            resources("25m", "50Mi")
        );
        let user = resources("100m", "258Mi");
        assert_eq!(
            shares(Some(&user), 0.002, &LIMIT_BOUNDS),
            resources("40m", "200Mi")
        );
        let user = resources("1", "1Gi");
        assert_eq!(
            shares(Some(&user), 0.05, &REQUEST_BOUNDS),
            resources("50m", "53687091")
        );
        let user = resources("64", "64Gi");
        assert_eq!(
            shares(Some(&user), 1.0, &LIMIT_BOUNDS),
            resources("500m", "500Mi")
        );
        assert_eq!(shares(None, 1.0, &LIMIT_BOUNDS), Resources::new());
    }

    #[test]
    fn a_percentage_out_of_range_is_no_share() {
        let of = |text: &str| share(&[(super::PERCENTAGE[0].to_owned(), text.to_owned())].into());
        assert_eq!(of("0.2"), Some(0.002));
        assert_eq!(of("101"), None);
        assert_eq!(of("x"), None);
    }
}
