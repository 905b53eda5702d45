use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use super::reader::{Reader, choice};
use super::{ConfigError, Data, yaml};
use crate::template::{Context, Template};

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

const SWITCH: [(&str, bool); 2] = [("Enabled", true), ("Disabled", false)];

const PROTOCOLS: [(&str, HttpProtocol); 4] = [
    ("Enabled", HttpProtocol::Enabled),
    ("Redirected", HttpProtocol::Redirected),
    ("Disabled", HttpProtocol::Disabled),
    ("", HttpProtocol::Enabled),
];

const MESHES: [(&str, MeshCompatibility); 3] = [
    ("auto", MeshCompatibility::Auto),
    ("enabled", MeshCompatibility::Enabled),
    ("disabled", MeshCompatibility::Disabled),
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
        Self::read(&Reader::new(data))
    }

    pub(super) fn read(data: &Reader<'_>) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        config.read_classes(data);
        config.read_hosts(data)?;
        config.read_certificates(data)?;
        config.read_mesh(data)?;
        Ok(config)
    }

    fn read_classes(&mut self, data: &Reader<'_>) {
        let class = &mut self.ingress_class;
        data.text(&["ingress-class", "ingress.class"], class);
        let class = &mut self.certificate_class;
        data.text(&["certificate-class", "certificate.class"], class);
        let scheme = &mut self.default_external_scheme;
        data.text(
            &["default-external-scheme", "defaultExternalScheme"],
            scheme,
        );
        if scheme.is_empty() {
            "http".clone_into(scheme);
        }
        if !["http", "https"].contains(&scheme.as_str()) {
            data.note(format!(
                "default-external-scheme: no browser knows the scheme {scheme:?}"
            ));
        }
    }

    fn read_hosts(&mut self, data: &Reader<'_>) -> Result<(), ConfigError> {
        let domain = &mut self.domain_template;
        data.template(&["domain-template", "domainTemplate"], domain)?;
        let tag = &mut self.tag_template;
        data.template(&["tag-template", "tagTemplate"], tag)?;
        host_of_a_sample(domain).map_err(|why| ConfigError::unreadable("domain-template", &why))?;
        name_of_a_sample(tag).map_err(|why| ConfigError::unreadable("tag-template", &why))?;
        let mut seconds = 0_i64;
        data.number(&["rollout-duration", "rolloutDuration"], &mut seconds)?;
        self.rollout_duration = match u64::try_from(seconds) {
            Ok(seconds) => Duration::from_secs(seconds),
            Err(_) => {
                return Err(ConfigError::Invalid(format!(
                    "rollout-duration must be a positive integer, but was {seconds}"
                )));
            }
        };
        let claims = &mut self.autocreate_cluster_domain_claims;
        let keys = [
            "autocreate-cluster-domain-claims",
            "autocreateClusterDomainClaims",
        ];
        data.boolean(&keys, claims)
    }

    fn read_certificates(&mut self, data: &Reader<'_>) -> Result<(), ConfigError> {
        let selector = &mut self.namespace_wildcard_cert_selector;
        data.with(&["namespace-wildcard-cert-selector"], selector, wanted)?;
        for key in ["autoTLS", "auto-tls", "external-domain-tls"] {
            if data.get(key).is_some() {
                self.external_domain_tls = false;
                data.choice(key, &SWITCH, &mut self.external_domain_tls);
            }
        }
        let mut encryption = false;
        data.boolean(&["internal-encryption"], &mut encryption)?;
        self.system_internal_tls = encrypted(data, "system-internal-tls")? || encryption;
        self.cluster_local_domain_tls = encrypted(data, "cluster-local-domain-tls")?;
        let protocol = data.winner(&["http-protocol", "httpProtocol"]);
        let protocol = protocol.unwrap_or_default();
        self.http_protocol =
            choice(protocol, &PROTOCOLS).map_err(|_| unsupported("http-protocol", protocol))?;
        Ok(())
    }

    fn read_mesh(&mut self, data: &Reader<'_>) -> Result<(), ConfigError> {
        let addressable = &mut self.enable_mesh_pod_addressability;
        data.boolean(&["enable-mesh-pod-addressability"], addressable)?;
        let mode = &mut self.mesh_compatibility_mode;
        data.choice("mesh-compatibility-mode", &MESHES, mode);
        Ok(())
    }
}

fn encrypted(data: &Reader<'_>, key: &str) -> Result<bool, ConfigError> {
    match data.get(key).unwrap_or_default() {
        "" => Ok(false),
        text => choice(text, &SWITCH).map_err(|_| unsupported(key, text)),
    }
}

fn unsupported(key: &str, text: &str) -> ConfigError {
    let config_map = "config-network ConfigMap";
    ConfigError::Invalid(format!(
        "{key} with value: {text:?} in {config_map} is not supported"
    ))
}

/// What the template makes of a Route without labels and annotations. It must look like a host;
/// whether all its labels are there depends on the Route.
fn host_of_a_sample(template: &Template) -> Result<(), String> {
    let nothing = BTreeMap::new();
    let sample = Context {
        fields: BTreeMap::from([("Name", "foo"), ("Namespace", "bar"), ("Domain", "baz.com")]),
        maps: BTreeMap::from([("Labels", &nothing), ("Annotations", &nothing)]),
    };
    let host = template
        .render(&sample)
        .map_err(|error| error.to_string())?;
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    if host.is_empty() {
        Err("makes an empty host of a Route without labels and annotations".to_owned())
    } else if !host.chars().all(fits) {
        Err(format!("makes {host:?} of a Route, which is not a host"))
    } else {
        Ok(())
    }
}

fn name_of_a_sample(template: &Template) -> Result<(), String> {
    let sample = Context {
        fields: BTreeMap::from([("Name", "foo"), ("Tag", "v2")]),
        maps: BTreeMap::new(),
    };
    match template.render(&sample) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// A selector of namespaces; nothing for a text that says nothing.
fn wanted(text: &str) -> Result<Option<LabelSelector>, String> {
    let value: serde_yaml::Value = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
    if value.is_null() {
        return Ok(None);
    }
    let mut fields = yaml::fields_of(value)?;
    let labels = fields.remove("matchlabels").map(Some).map(yaml::labels);
    let expressions = match fields.remove("matchexpressions").unwrap_or_default() {
        serde_yaml::Value::Null => None,
        serde_yaml::Value::Sequence(list) => Some(list),
        _ => return Err("matchExpressions is not a list".to_owned()),
    };
    let expressions = expressions.map(|list| list.into_iter().map(requirement).collect());
    Ok(Some(LabelSelector {
        match_labels: labels.transpose()?,
        match_expressions: expressions.transpose()?,
    }))
}

fn requirement(value: serde_yaml::Value) -> Result<LabelSelectorRequirement, String> {
    let mut fields = yaml::fields_of(value)?;
    let mut text = |name: &str| yaml::text(&fields.remove(name).unwrap_or_default());
    let (key, operator) = (text("key")?, text("operator")?);
    if !["In", "NotIn", "Exists", "DoesNotExist"].contains(&operator.as_str()) {
        return Err(format!("{operator:?} is not an operator of a selector"));
    }
    let values = match fields.remove("values").unwrap_or_default() {
        serde_yaml::Value::Null => None,
        serde_yaml::Value::Sequence(list) => Some(list.iter().map(yaml::text).collect()),
        _ => return Err("values is not a list".to_owned()),
    };
    Ok(LabelSelectorRequirement {
        key,
        operator,
        values: values.transpose()?,
    })
}
