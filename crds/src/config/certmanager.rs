use super::reader::Reader;
use super::{ConfigError, Data, yaml};

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerRef {
    /// `Issuer` or `ClusterIssuer`, or a kind of [`IssuerRef::group`].
    pub kind: String,
    /// Its name.
    pub name: String,
    /// API group of an issuer that is not cert-manager's own; else empty.
    pub group: String,
}

impl Default for IssuerRef {
    fn default() -> Self {
        Self {
            kind: "ClusterIssuer".to_owned(),
            name: "knative-selfsigned-issuer".to_owned(),
            group: String::new(),
        }
    }
}

impl CertManagerConfig {
    /// Reads the data of config-certmanager.
    pub fn parse(data: &Data) -> Result<Self, ConfigError> {
        Self::read(&Reader::new(data))
    }

    pub(super) fn read(data: &Reader<'_>) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        data.with(&["issuerRef"], &mut config.issuer_ref, issuer)?;
        let local = &mut config.cluster_local_issuer_ref;
        data.with(&["clusterLocalIssuerRef"], local, issuer)?;
        let system = &mut config.system_internal_issuer_ref;
        data.with(&["systemInternalIssuerRef"], system, issuer)?;
        Ok(config)
    }
}

/// What the text does not name stays as it is without it.
fn issuer(text: &str) -> Result<IssuerRef, String> {
    let mut issuer = IssuerRef::default();
    let fields = yaml::fields(text)?;
    for (name, field) in [
        ("kind", &mut issuer.kind),
        ("name", &mut issuer.name),
        ("group", &mut issuer.group),
    ] {
        match fields.get(name) {
            None | Some(serde_yaml::Value::Null) => {}
            Some(value) => *field = yaml::text(value)?,
        }
    }
    Ok(issuer)
}
