use serde::Deserialize;

use super::reader::Reader;
use super::{ConfigError, Data};

/// config-certmanager: who signs certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertManagerConfig {
    /// For public hosts.
    pub issuer_ref: IssuerRef,
    /// For hosts of the cluster.
    pub cluster_local_issuer_ref: IssuerRef,
    /// For the system itself.
    pub system_internal_issuer_ref: IssuerRef,
}

/// An issuer of cert-manager.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct IssuerRef {
    /// `Issuer` or `ClusterIssuer`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl Default for IssuerRef {
    fn default() -> Self {
        Self {
            kind: "ClusterIssuer".to_owned(),
            name: "knative-selfsigned-issuer".to_owned(),
        }
    }
}

impl CertManagerConfig {
    /// Reads the data of config-certmanager.
    pub fn parse(data: &Data) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        let data = Reader(data);
        for (key, field) in [
            ("issuerRef", &mut config.issuer_ref),
            (
                "clusterLocalIssuerRef",
                &mut config.cluster_local_issuer_ref,
            ),
            (
                "systemInternalIssuerRef",
                &mut config.system_internal_issuer_ref,
            ),
        ] {
            data.with(&[key], field, serde_yaml::from_str)?;
        }
        Ok(config)
    }
}
