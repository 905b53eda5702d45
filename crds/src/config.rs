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
pub use observability::{Exporter, MetricsProtocol, ObservabilityConfig, TracingProtocol};

use std::collections::BTreeMap;

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

/// All settings. The default is what holds before any config map was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// config-autoscaler.
    pub autoscaler: AutoscalerConfig,
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
        match name {
            name::AUTOSCALER => self.autoscaler = AutoscalerConfig::parse(data)?,
            name::DEFAULTS => self.defaults = DefaultsConfig::parse(data)?,
            name::DEPLOYMENT => self.deployment = DeploymentConfig::parse(data)?,
            name::DOMAIN => self.domain = DomainConfig::parse(data)?,
            name::FEATURES => self.features = FeaturesConfig::parse(data)?,
            name::GC => self.gc = GcConfig::parse(data)?,
            name::NETWORK => self.network = NetworkConfig::parse(data)?,
            name::OBSERVABILITY => self.observability = ObservabilityConfig::parse(data)?,
            name::LOGGING => self.logging = LoggingConfig::parse(data)?,
            name::LEADER_ELECTION => self.leader_election = LeaderElectionConfig::parse(data)?,
            _ => {}
        }
        Ok(())
    }
}

/// Whether the config map `name` may hold `data`; maps of other names may hold anything.
pub fn check(name: &str, data: &Data) -> Result<(), ConfigError> {
    if name == name::CERTMANAGER {
        return CertManagerConfig::parse(data).map(|_| ());
    }
    Settings::default().update(name, data)
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
