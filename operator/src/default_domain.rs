//! `operator default-domain`: gives a fresh install a domain that resolves without any DNS of its
//! own. A name below a service like sslip.io says which address it has: `172.30.0.2.sslip.io`.
//!
//! Runs once, as a Job. A domain for all Routes that is there already stays.

use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use crds::config::{Data, DomainConfig, name};
use k8s_openapi::api::core::v1::{ConfigMap, LoadBalancerIngress, Service};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::time::{Instant, sleep};
use tracing::info;

/// Pause between two looks for an address.
const PAUSE: Duration = Duration::from_secs(2);

/// Where the domain comes from.
#[derive(Debug, Args)]
pub(crate) struct DefaultDomainArguments {
    /// Namespace of the system.
    #[arg(long, env = net::contract::env::SYSTEM_NAMESPACE, default_value = net::contract::name::SYSTEM_NAMESPACE)]
    system_namespace: String,
    /// Service that requests from outside come in by.
    #[arg(long, default_value = net::contract::name::EXTERNAL_SERVICE)]
    service: String,
    /// Domain below which every name says its address.
    #[arg(long, default_value = "sslip.io")]
    suffix: String,
    /// Seconds to wait for the Service's address.
    #[arg(long, default_value_t = 240)]
    patience: u64,
}

/// Waits for the address, writes the domain, and ends.
pub(crate) async fn run(arguments: DefaultDomainArguments) -> anyhow::Result<ExitCode> {
    runtime::log::init("default-domain");
    let client = runtime::kube::client().await?;
    let namespace = arguments.system_namespace.as_str();
    let config_maps = Api::<ConfigMap>::namespaced(client.clone(), namespace);
    let found = config_maps.get_opt(name::DOMAIN).await?;
    let data = found.and_then(|map| map.data).unwrap_or_default();
    if let Some(domain) = domain_of_all(&data)? {
        info!(domain, "there is a domain for all Routes: nothing to do");
        return Ok(ExitCode::SUCCESS);
    }
    let address = wait_for_address(client, &arguments).await?;
    let domain = domain(address, &arguments.suffix);
    let change = Patch::Merge(json!({ "data": { domain.as_str(): "" } }));
    config_maps
        .patch(name::DOMAIN, &PatchParams::default(), &change)
        .await
        .with_context(|| format!("can't write {} in {namespace}", name::DOMAIN))?;
    info!(domain, "Routes have a domain now");
    Ok(ExitCode::SUCCESS)
}

/// The domain of Routes without labels, if config-domain has one.
fn domain_of_all(data: &Data) -> anyhow::Result<Option<String>> {
    let domains = DomainConfig::parse(data).context(name::DOMAIN)?;
    Ok(domains.domain_for(&Data::new()).map(str::to_owned))
}

async fn wait_for_address(
    client: Client,
    arguments: &DefaultDomainArguments,
) -> anyhow::Result<IpAddr> {
    let DefaultDomainArguments {
        system_namespace: namespace,
        service,
        patience,
        ..
    } = arguments;
    let services = Api::<Service>::namespaced(client, namespace);
    let deadline = Instant::now() + Duration::from_secs(*patience);
    loop {
        let found = services.get_opt(service).await?;
        match found.as_ref().and_then(front_door) {
            Some(FrontDoor::Address(address)) => return Ok(address),
            Some(FrontDoor::Host(host)) => return resolve(&host).await,
            None if Instant::now() >= deadline => bail!(
                "Service {service} has had no address for {patience} s. \
                 Next: kubectl -n {namespace} describe service {service}"
            ),
            None => sleep(PAUSE).await,
        }
    }
}

async fn resolve(host: &str) -> anyhow::Result<IpAddr> {
    let mut addresses = tokio::net::lookup_host((host, 0))
        .await
        .with_context(|| format!("can't resolve {host}"))?;
    let first = addresses.next();
    Ok(first
        .with_context(|| format!("{host} has no address"))?
        .ip())
}

/// What a cloud gave to a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
enum FrontDoor {
    Address(IpAddr),
    Host(String),
}

fn front_door(service: &Service) -> Option<FrontDoor> {
    let status = service.status.as_ref()?.load_balancer.as_ref()?;
    let LoadBalancerIngress { ip, hostname, .. } = status.ingress.as_ref()?.first()?;
    let address = ip.as_ref().and_then(|ip| ip.parse().ok());
    let host = hostname.clone().filter(|host| !host.is_empty());
    address
        .map(FrontDoor::Address)
        .or(host.map(FrontDoor::Host))
}

/// The name that says `address`; the colons of a long address become dashes.
fn domain(address: IpAddr, suffix: &str) -> String {
    format!("{}.{suffix}", address.to_string().replace(':', "-"))
}

#[cfg(test)]
mod tests {
    use crds::config::Data;
    use serde_json::json;

    use super::{FrontDoor, domain, domain_of_all, front_door};

    #[test]
    fn the_domain_says_the_address() {
        for (address, expect) in [
            ("172.30.0.2", "172.30.0.2.sslip.io"),
            ("2a01:4f8:c17:b8f::2", "2a01-4f8-c17-b8f--2.sslip.io"),
        ] {
            assert_eq!(domain(address.parse().unwrap(), "sslip.io"), expect);
        }
    }

    #[test]
    fn only_a_domain_for_all_routes_keeps_another_away() {
        for (domain, value, expect) in [
            ("example.com", "", Some("example.com")),
            ("example.com", "selector: {app: shop}", None),
            ("_example", "a.com: \"\"", None),
        ] {
            let data = Data::from([(domain.to_owned(), value.to_owned())]);
            assert_eq!(domain_of_all(&data).unwrap().as_deref(), expect);
        }
        assert!(domain_of_all(&Data::from([("a.com".to_owned(), "[".to_owned())])).is_err());
    }

    #[test]
    fn a_service_has_an_address_when_its_status_says_so() {
        let address = FrontDoor::Address("1.2.3.4".parse().unwrap());
        for (status, expect) in [
            (json!({}), None),
            (json!({ "loadBalancer": {} }), None),
            (json!({ "loadBalancer": { "ingress": [] } }), None),
            (
                json!({ "loadBalancer": { "ingress": [{ "ip": "1.2.3.4" }] } }),
                Some(address),
            ),
            (
                json!({ "loadBalancer": { "ingress": [{ "hostname": "lb.example" }] } }),
                Some(FrontDoor::Host("lb.example".to_owned())),
            ),
        ] {
            let service = serde_json::from_value(json!({ "status": status })).unwrap();
            assert_eq!(front_door(&service), expect, "{status}");
        }
    }
}
