use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::reader::{Reader, choice};
use super::{ConfigError, Data};
use crate::template::Template;

const OURS: &str = "fermata.ingress.networking.knative.dev";

/// config-network: hosts, ingress and certificates.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkConfig {
    /// Ingress implementation for Routes that name none.
    pub ingress_class: String,
    /// Certificate issuer for Routes that name none.
    pub certificate_class: String,
    /// Namespaces that get a wildcard certificate; nothing: none.
    pub namespace_wildcard_cert_selector: Option<LabelSelector>,
    /// Public host of a Route.
    pub domain_template: Template,
    /// Name in the host of a tag.
    pub tag_template: Template,
    /// Whether public hosts get certificates.
    pub external_domain_tls: bool,
    /// Whether hosts of the cluster get certificates.
    pub cluster_local_domain_tls: bool,
    /// Whether activators and sidecars speak TLS.
    pub system_internal_tls: bool,
    /// What plain HTTP requests get where a host has a certificate.
    pub http_protocol: HttpProtocol,
    /// Length of a gradual rollout; zero is off.
    pub rollout_duration: Duration,
    /// Whether a DomainMapping claims its domain itself.
    pub autocreate_cluster_domain_claims: bool,
    /// Whether pods of a mesh can be reached by address.
    pub enable_mesh_pod_addressability: bool,
    /// Whether a mesh stands between activators and pods.
    pub mesh_compatibility_mode: MeshCompatibility,
    /// Scheme of public URLs.
    pub default_external_scheme: String,
}

/// What plain HTTP requests get where a host has a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HttpProtocol {
    /// They are answered.
    #[default]
    Enabled,
    /// They are sent to https.
    Redirected,
    /// They are refused.
    Disabled,
}

/// Whether a mesh stands between activators and pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MeshCompatibility {
    /// Find out.
    #[default]
    Auto,
    /// Yes: pods are reached through their Service.
    Enabled,
    /// No: pods are reached by address.
    Disabled,
}

const SWITCH: [(&str, bool); 4] = [
    ("Enabled", true),
    ("Disabled", false),
    ("true", true),
    ("false", false),
];

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            ingress_class: OURS.to_owned(),
            certificate_class: "cert-manager.certificate.networking.knative.dev".to_owned(),
            namespace_wildcard_cert_selector: None,
            domain_template: default_template("{{.Name}}.{{.Namespace}}.{{.Domain}}"),
            tag_template: default_template("{{.Tag}}-{{.Name}}"),
            external_domain_tls: false,
            cluster_local_domain_tls: false,
            system_internal_tls: false,
            http_protocol: HttpProtocol::default(),
            rollout_duration: Duration::ZERO,
            autocreate_cluster_domain_claims: false,
            enable_mesh_pod_addressability: false,
            mesh_compatibility_mode: MeshCompatibility::default(),
            default_external_scheme: "http".to_owned(),
        }
    }
}

fn default_template(source: &str) -> Template {
    Template::parse(source).unwrap_or_else(|_| Template::literal(source))
}

impl NetworkConfig {
    /// Reads the data of config-network.
    pub fn parse(data: &Data) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        config.read_hosts(&Reader(data))?;
        config.read_tls(&Reader(data))?;
        config.read_mesh(&Reader(data))?;
        Ok(config)
    }

    fn read_hosts(&mut self, data: &Reader<'_>) -> Result<(), ConfigError> {
        data.text(&["ingress-class", "ingress.class"], &mut self.ingress_class);
        data.template(
            &["domain-template", "domainTemplate"],
            &mut self.domain_template,
        )?;
        data.template(&["tag-template", "tagTemplate"], &mut self.tag_template)?;
        let seconds = |text: &str| text.parse().map(Duration::from_secs);
        data.with(
            &["rollout-duration", "rolloutDuration"],
            &mut self.rollout_duration,
            seconds,
        )?;
        data.boolean(
            &[
                "autocreate-cluster-domain-claims",
                "autocreateClusterDomainClaims",
            ],
            &mut self.autocreate_cluster_domain_claims,
        )?;
        let schemes = ["default-external-scheme", "defaultExternalScheme"];
        data.with(
            &schemes,
            &mut self.default_external_scheme,
            |text| match text {
                "http" | "https" => Ok(text.to_owned()),
                other => Err(format!("{other:?} is not one of http, https")),
            },
        )
    }

    fn read_tls(&mut self, data: &Reader<'_>) -> Result<(), ConfigError> {
        data.text(
            &["certificate-class", "certificate.class"],
            &mut self.certificate_class,
        );
        data.with(
            &[
                "namespace-wildcard-cert-selector",
                "namespaceWildcardCertSelector",
            ],
            &mut self.namespace_wildcard_cert_selector,
            selector,
        )?;
        for (keys, field) in [
            (
                ["external-domain-tls", "auto-tls", "autoTLS"],
                &mut self.external_domain_tls,
            ),
            (
                ["cluster-local-domain-tls"; 3],
                &mut self.cluster_local_domain_tls,
            ),
            (
                [
                    "system-internal-tls",
                    "internal-encryption",
                    "internal-encryption",
                ],
                &mut self.system_internal_tls,
            ),
        ] {
            data.with(&keys, field, |text| choice(text, &SWITCH))?;
        }
        data.with(
            &["http-protocol", "httpProtocol"],
            &mut self.http_protocol,
            |text| {
                choice(
                    text,
                    &[
                        ("Enabled", HttpProtocol::Enabled),
                        ("Redirected", HttpProtocol::Redirected),
                        ("Disabled", HttpProtocol::Disabled),
                    ],
                )
            },
        )
    }

    fn read_mesh(&mut self, data: &Reader<'_>) -> Result<(), ConfigError> {
        data.boolean(
            &[
                "enable-mesh-pod-addressability",
                "enableMeshPodAddressability",
            ],
            &mut self.enable_mesh_pod_addressability,
        )?;
        data.with(
            &["mesh-compatibility-mode"],
            &mut self.mesh_compatibility_mode,
            |text| {
                choice(
                    text,
                    &[
                        ("auto", MeshCompatibility::Auto),
                        ("enabled", MeshCompatibility::Enabled),
                        ("disabled", MeshCompatibility::Disabled),
                    ],
                )
            },
        )
    }
}

fn selector(text: &str) -> Result<Option<LabelSelector>, serde_yaml::Error> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    serde_yaml::from_str(text)
}
