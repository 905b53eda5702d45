use std::collections::BTreeMap;

use serde::Deserialize;

use super::{ConfigError, Data, example};

/// config-domain: domains and the Routes that get them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DomainConfig {
    /// Each domain and the labels that it wants.
    pub domains: BTreeMap<String, DomainEntry>,
}

/// One domain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct DomainEntry {
    /// Labels that a Route must have; empty matches all.
    #[serde(default)]
    pub selector: BTreeMap<String, String>,
    /// Whether the domain's certificate covers all names below it.
    #[serde(default, rename = "type")]
    pub type_: DomainType,
}

/// Whether a domain's certificate covers all names below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DomainType {
    /// It does not.
    #[default]
    #[serde(alias = "")]
    Plain,
    /// It does.
    Wildcard,
}

impl DomainConfig {
    /// Reads the data of config-domain.
    pub fn parse(data: &Data) -> Result<Self, ConfigError> {
        let domains = data.iter().filter(|(domain, _)| *domain != example::KEY);
        let domains = domains.map(|(domain, value)| Ok((domain.clone(), entry(domain, value)?)));
        Ok(Self {
            domains: domains.collect::<Result<_, ConfigError>>()?,
        })
    }

    /// The domain of a Route with `labels`: the one that names most of them, ties go to the first
    /// by name. Nothing means that the Route is cluster-local (contract/control-plane 4.3).
    pub fn domain_for(&self, labels: &BTreeMap<String, String>) -> Option<&str> {
        let matching = self.domains.iter().filter(|(_, entry)| {
            entry
                .selector
                .iter()
                .all(|(key, value)| labels.get(key) == Some(value))
        });
        let best = matching.rev().max_by_key(|(_, entry)| entry.selector.len());
        best.map(|(domain, _)| domain.as_str())
    }
}

fn entry(domain: &str, value: &str) -> Result<DomainEntry, ConfigError> {
    if value.trim().is_empty() {
        return Ok(DomainEntry::default());
    }
    let entry: Result<Option<DomainEntry>, _> = serde_yaml::from_str(value);
    Ok(entry
        .map_err(|error| ConfigError::unreadable(domain, &error))?
        .unwrap_or_default())
}
