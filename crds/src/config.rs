//! The config maps of the system namespace as typed settings (contract/control-plane 5).
//!
//! Every `parse` starts from the defaults, reads the keys it knows and ignores the rest, so maps
//! of newer and older releases are welcome; a known key with a bad value refuses the whole map.

mod autoscaler;
mod certmanager;
mod defaults;
mod deployment;
mod domain;
pub mod example;
mod features;
mod gc;
mod leader_election;
mod logging;
mod network;
mod observability;
mod reader;
mod yaml;

pub use autoscaler::AutoscalerConfig;
pub use certmanager::{CertManagerConfig, IssuerRef};
pub use defaults::DefaultsConfig;
pub use deployment::{AffinityType, DeploymentConfig, RuntimeClass};
pub use domain::{DomainConfig, DomainEntry, DomainType};
pub use features::{FeaturesConfig, Flag, SecurePodDefaults};
pub use gc::GcConfig;
pub use leader_election::LeaderElectionConfig;
pub use logging::LoggingConfig;
pub use network::{HttpProtocol, MeshCompatibility, NetworkConfig};
pub use observability::{
    Exporter, MetricsCompat, MetricsProtocol, ObservabilityConfig, TracingProtocol,
};

use std::collections::{BTreeMap, BTreeSet};

use reader::Reader;

/// Notes for one writer: the API server shortens longer lists of warnings itself.
const MOST_NOTES: usize = 10;

/// The data of a config map.
pub type Data = BTreeMap<String, String>;

/// Name of each config map.
pub mod name {
    /// [`super::AutoscalerConfig`].
    pub const AUTOSCALER: &str = "config-autoscaler";
    /// [`super::CertManagerConfig`].
    pub const CERTMANAGER: &str = "config-certmanager";
    /// [`super::DefaultsConfig`].
    pub const DEFAULTS: &str = "config-defaults";
    /// [`super::DeploymentConfig`].
    pub const DEPLOYMENT: &str = "config-deployment";
    /// [`super::DomainConfig`].
    pub const DOMAIN: &str = "config-domain";
    /// [`super::FeaturesConfig`].
    pub const FEATURES: &str = "config-features";
    /// [`super::GcConfig`].
    pub const GC: &str = "config-gc";
    /// [`super::NetworkConfig`].
    pub const NETWORK: &str = "config-network";
    /// [`super::ObservabilityConfig`].
    pub const OBSERVABILITY: &str = "config-observability";
    /// [`super::LoggingConfig`].
    pub const LOGGING: &str = "config-logging";
    /// [`super::LeaderElectionConfig`].
    pub const LEADER_ELECTION: &str = "config-leader-election";
}

/// The config maps that are read.
pub const NAMES: [&str; 11] = [
    name::AUTOSCALER,
    name::CERTMANAGER,
    name::DEFAULTS,
    name::DEPLOYMENT,
    name::DOMAIN,
    name::FEATURES,
    name::GC,
    name::LEADER_ELECTION,
    name::LOGGING,
    name::NETWORK,
    name::OBSERVABILITY,
];

/// All settings. The default is what holds before any config map was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// config-autoscaler.
    pub autoscaler: AutoscalerConfig,
    /// config-certmanager.
    pub certmanager: CertManagerConfig,
    /// config-defaults.
    pub defaults: DefaultsConfig,
    /// config-deployment.
    pub deployment: DeploymentConfig,
    /// config-domain.
    pub domain: DomainConfig,
    /// config-features.
    pub features: FeaturesConfig,
    /// config-gc.
    pub gc: GcConfig,
    /// config-network.
    pub network: NetworkConfig,
    /// config-observability.
    pub observability: ObservabilityConfig,
    /// config-logging.
    pub logging: LoggingConfig,
    /// config-leader-election.
    pub leader_election: LeaderElectionConfig,
}

impl Settings {
    /// Takes over the config map `name`. Maps of other names are ignored; after an error the
    /// settings are as before.
    pub fn update(&mut self, name: &str, data: &Data) -> Result<(), ConfigError> {
        self.take(name, &Reader::new(data))
    }

    fn take(&mut self, name: &str, data: &Reader<'_>) -> Result<(), ConfigError> {
        match name {
            name::AUTOSCALER => self.autoscaler = AutoscalerConfig::read(data)?,
            name::CERTMANAGER => self.certmanager = CertManagerConfig::read(data)?,
            name::DEFAULTS => self.defaults = DefaultsConfig::read(data)?,
            name::DEPLOYMENT => self.deployment = DeploymentConfig::read(data)?,
            name::DOMAIN => self.domain = DomainConfig::read(data)?,
            name::FEATURES => self.features = FeaturesConfig::read(data)?,
            name::GC => self.gc = GcConfig::read(data)?,
            name::NETWORK => self.network = NetworkConfig::read(data)?,
            name::OBSERVABILITY => self.observability = ObservabilityConfig::read(data)?,
            name::LOGGING => self.logging = LoggingConfig::read(data)?,
            name::LEADER_ELECTION => self.leader_election = LeaderElectionConfig::read(data)?,
            _ => {}
        }
        Ok(())
    }
}

/// Whether the config map `name` may hold `data`; maps of other names may hold anything.
pub fn check(name: &str, data: &Data) -> Result<(), ConfigError> {
    Settings::default().update(name, data)
}

/// What whoever writes `data` into the config map `name` should know although it is no reason to
/// refuse it: keys that mean nothing, and values that are passed over. At most ten sentences.
pub fn notes(name: &str, data: &Data) -> Vec<String> {
    let reader = Reader::new(data);
    if !NAMES.contains(&name) || Settings::default().take(name, &reader).is_err() {
        return Vec::new();
    }
    let mut notes = reader.into_notes();
    notes.truncate(MOST_NOTES);
    notes
}

/// The keys that the config map `name` can have, older spellings included. A `*` at the end stands
/// for any text. None: the map is not one of ours.
pub fn keys(name: &str) -> BTreeSet<String> {
    let nothing = Data::new();
    let reader = Reader::new(&nothing);
    // A key that must be there is missing, but by then all were asked for.
    let _ = Settings::default().take(name, &reader);
    reader.into_known()
}

/// Why a config map can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The value of `key` can't be read: `why` says what is wrong with it.
    #[error("failed to parse {key:?}: {why}")]
    Unreadable {
        /// The key.
        key: String,
        /// What is wrong.
        why: String,
    },
    /// Values that can be read, but not together or not in this range.
    #[error("{0}")]
    Invalid(String),
}

impl ConfigError {
    fn unreadable(key: &str, why: &impl ToString) -> Self {
        Self::Unreadable {
            key: key.to_owned(),
            why: why.to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
