//! Names of children, labels and annotations (contract/control-plane 0.7, 2 and appendix C).

use md5::{Digest, Md5};

/// Annotations of our own.
pub mod fermata {
    /// Annotation of a Revision: `true` tells in `Server-Timing` where a cold start's time went.
    pub const SERVER_TIMING: &str = "fermata.dev/server-timing";
}

/// Labels and annotations of `serving.knative.dev`.
pub mod serving {
    /// Group and prefix.
    pub const GROUP: &str = "serving.knative.dev";
    /// Label: Service that an object belongs to.
    pub const SERVICE: &str = "serving.knative.dev/service";
    /// Label: uid of that Service.
    pub const SERVICE_UID: &str = "serving.knative.dev/serviceUID";
    /// Label: Configuration that an object belongs to.
    pub const CONFIGURATION: &str = "serving.knative.dev/configuration";
    /// Label: uid of that Configuration.
    pub const CONFIGURATION_UID: &str = "serving.knative.dev/configurationUID";
    /// Label: generation of the Configuration that made a Revision.
    pub const CONFIGURATION_GENERATION: &str = "serving.knative.dev/configurationGeneration";
    /// Label: Revision that an object belongs to.
    pub const REVISION: &str = "serving.knative.dev/revision";
    /// Label: uid of that Revision; the Deployment's only selector.
    pub const REVISION_UID: &str = "serving.knative.dev/revisionUID";
    /// Label: Route that an object belongs to.
    pub const ROUTE: &str = "serving.knative.dev/route";
    /// Label: namespace of that Route.
    pub const ROUTE_NAMESPACE: &str = "serving.knative.dev/routeNamespace";
    /// Label of a Revision: `pending`, `active` or `reserve`.
    pub const ROUTING_STATE: &str = "serving.knative.dev/routingState";
    /// Annotation: when [`ROUTING_STATE`] changed, RFC 3339 in seconds.
    pub const ROUTING_STATE_MODIFIED: &str = "serving.knative.dev/routingStateModified";
    /// Annotation: sorted, comma separated Routes that refer to an object.
    pub const ROUTES: &str = "serving.knative.dev/routes";
    /// Annotation: user who created the object.
    pub const CREATOR: &str = "serving.knative.dev/creator";
    /// Annotation: user who changed the spec last.
    pub const LAST_MODIFIER: &str = "serving.knative.dev/lastModifier";
    /// Annotation: garbage collection must leave the Revision alone.
    pub const NO_GC: &str = "serving.knative.dev/no-gc";
    /// Annotation: legacy mark of use.
    pub const LAST_PINNED: &str = "serving.knative.dev/lastPinned";
    /// Annotation: duration of a gradual rollout.
    pub const ROLLOUT_DURATION: &str = "serving.knative.dev/rollout-duration";
    /// Annotation: how long a Deployment may take to progress.
    pub const PROGRESS_DEADLINE: &str = "serving.knative.dev/progress-deadline";
    /// Label of a Deployment: hash of what we rendered.
    pub const DEPLOYMENT_HASH: &str = "serving.knative.dev/deployment-hash";
    /// Finalizer of a Route, set by the labeler.
    pub const ROUTE_FINALIZER: &str = "routes.serving.knative.dev";
    /// Label of an Ingress: uid of the DomainMapping that it was made for.
    pub const DOMAIN_MAPPING_UID: &str = "serving.knative.dev/domainMappingUID";
    /// Label of an Ingress: namespace of that DomainMapping.
    pub const DOMAIN_MAPPING_NAMESPACE: &str = "serving.knative.dev/domainMappingNamespace";
    /// Finalizer of a DomainMapping.
    pub const DOMAIN_MAPPING_FINALIZER: &str = "domainmappings.serving.knative.dev";
}

/// Annotations of `autoscaling.knative.dev`, canonical spelling.
pub mod autoscaling {
    /// Group and prefix.
    pub const GROUP: &str = "autoscaling.knative.dev";
    /// Which autoscaler cares for the revision.
    pub const CLASS: &str = "autoscaling.knative.dev/class";
    /// Class of our own autoscaler.
    pub const KPA: &str = "kpa.autoscaling.knative.dev";
    /// Class of the Kubernetes autoscaler.
    pub const HPA: &str = "hpa.autoscaling.knative.dev";
    /// What is measured.
    pub const METRIC: &str = "autoscaling.knative.dev/metric";
}

/// Labels and annotations of `networking.knative.dev` and `networking.internal.knative.dev`.
pub mod networking {
    /// Label: `cluster-local` keeps a Route off the external gateway.
    pub const VISIBILITY: &str = "networking.knative.dev/visibility";
    /// The one value of [`VISIBILITY`].
    pub const CLUSTER_LOCAL: &str = "cluster-local";
    /// Annotation: ingress implementation.
    pub const INGRESS_CLASS: &str = "networking.knative.dev/ingress.class";
    /// The other spelling of [`INGRESS_CLASS`]; never copied to children.
    pub const INGRESS_CLASS_ALT: &str = "networking.knative.dev/ingress-class";
    /// Annotation: issuer of certificates.
    pub const CERTIFICATE_CLASS: &str = "networking.knative.dev/certificate.class";
    /// The other spelling of [`CERTIFICATE_CLASS`]; never copied to children.
    pub const CERTIFICATE_CLASS_ALT: &str = "networking.knative.dev/certificate-class";
    /// Annotation: `true` keeps an object's public hosts without certificates. Of several
    /// spellings the first that is there counts.
    pub const DISABLE_EXTERNAL_DOMAIN_TLS: [&str; 3] = [
        "networking.knative.dev/disable-external-domain-tls",
        "networking.knative.dev/disableAutoTLS",
        "networking.knative.dev/disable-auto-tls",
    ];
    /// Label of a Certificate: what it is for.
    pub const CERTIFICATE_TYPE: &str = "networking.knative.dev/certificate-type";
    /// Label of a Certificate for all names of a namespace below this domain.
    pub const WILDCARD_DOMAIN: &str = "networking.knative.dev/wildcardDomain";
    /// Label of a Secret: uid of the Certificate that it was issued for.
    pub const CERTIFICATE_UID: &str = "networking.internal.knative.dev/certificate-uid";
    /// Annotation of an Ingress: state of gradual rollouts, JSON.
    pub const ROLLOUT: &str = "networking.internal.knative.dev/rollout";
    /// Annotation of an Ingress: tag to hosts, JSON.
    pub const TAG_TO_HOST: &str = "networking.internal.knative.dev/tag-to-host";
    /// Label: ServerlessService that a core Service belongs to.
    pub const SERVERLESS_SERVICE: &str = "networking.internal.knative.dev/serverlessservice";
    /// Label: `Public` or `Private`.
    pub const SERVICE_TYPE: &str = "networking.internal.knative.dev/serviceType";
}

/// Annotation that `kubectl apply` keeps; never copied to children.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

const LONGEST: usize = 63;
const HASH: usize = 32;
const HEAD: usize = LONGEST - HASH;

/// Name of a child: `parent` + `suffix` when that fits a DNS label, else a hashed form of at most
/// 63 bytes (contract/control-plane 0.7). Tests and clients of the peer compute the same.
pub fn child(parent: &str, suffix: &str) -> String {
    if parent.len() + suffix.len() <= LONGEST {
        return format!("{parent}{suffix}");
    }
    if suffix.len() < HEAD {
        return format!(
            "{}{}{suffix}",
            head(parent, HEAD - suffix.len()),
            hex_md5(parent)
        );
    }
    let hashed = format!(
        "{}{}",
        head(parent, HEAD),
        hex_md5(&format!("{parent}{suffix}"))
    );
    let room = LONGEST - hashed.len();
    let padded = format!("{hashed}{}", head(suffix, room));
    padded
        .trim_end_matches(|c: char| !c.is_ascii_alphanumeric())
        .to_owned()
}

fn head(text: &str, bytes: usize) -> &str {
    text.get(..bytes).unwrap_or(text)
}

fn hex_md5(text: &str) -> String {
    Md5::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::child;

    #[test]
    fn short_names_are_concatenated() {
        assert_eq!(
            child("hello-00001", "-deployment"),
            "hello-00001-deployment"
        );
    }

    #[test]
    fn names_over_63_bytes_are_hashed() {
        let parent = "a".repeat(60);
        let name = child(&parent, "-deployment");
        assert_eq!(name.len(), 63);
        assert!(name.starts_with(&"a".repeat(20)) && name.ends_with("-deployment"));
        assert_eq!(child(&"b".repeat(63), ""), "b".repeat(63));
    }

    #[test]
    fn long_suffixes_are_hashed_with_the_parent() {
        let name = child(&"a".repeat(40), &"-b".repeat(20));
        assert_eq!(name.len(), 63);
        assert!(name.starts_with(&"a".repeat(31)));
    }
}
