use std::collections::BTreeMap;

use super::reader::Reader;
use super::{ConfigError, Data, example, yaml};

/// config-domain: domains and the Routes that get them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DomainConfig {
    /// Each domain and the labels that it wants.
    pub domains: BTreeMap<String, DomainEntry>,
}

/// One domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DomainEntry {
    /// Labels that a Route must have; empty matches all.
    pub selector: BTreeMap<String, String>,
    /// Whether the domain's certificate covers all names below it.
    pub type_: DomainType,
}

/// Whether a domain's certificate covers all names below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DomainType {
    /// It does not.
    #[default]
    Plain,
    /// It does.
    Wildcard,
}

impl DomainEntry {
    /// Whether one certificate covers all names of a namespace below the domain: where its type
    /// says so, and always for the domain of every Route.
    pub fn is_wildcard(&self) -> bool {
        self.selector.is_empty() || self.type_ == DomainType::Wildcard
    }
}

impl DomainConfig {
    /// Reads the data of config-domain.
    pub fn parse(data: &Data) -> Result<Self, ConfigError> {
        Self::read(&Reader::new(data))
    }

    pub(super) fn read(data: &Reader<'_>) -> Result<Self, ConfigError> {
        let domains = data.with_prefix("");
        let domains = domains.filter(|(domain, _)| *domain != example::KEY);
        let domains = domains.map(|(domain, value)| {
            let entry = entry(domain, value, data);
            let entry = entry.map_err(|why| ConfigError::unreadable(domain, &why))?;
            Ok((domain.to_owned(), entry))
        });
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

fn entry(domain: &str, value: &str, data: &Reader<'_>) -> Result<DomainEntry, String> {
    let mut fields = yaml::fields(value)?;
    let selector = yaml::labels(fields.remove("selector"))?;
    let type_ = yaml::text(&fields.remove("type").unwrap_or_default())?;
    let type_ = match type_.as_str() {
        "" => DomainType::Plain,
        "wildcard" => DomainType::Wildcard,
        other => {
            data.note(format!(
                "{domain}: type has no effect: {other:?} is not wildcard"
            ));
            DomainType::Plain
        }
    };
    Ok(DomainEntry { selector, type_ })
}
