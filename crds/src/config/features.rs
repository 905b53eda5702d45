use super::reader::Reader;
use super::{ConfigError, Data};

/// Whether users may use a feature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flag {
    /// On.
    Enabled,
    /// On for those who ask for it.
    Allowed,
    /// Off.
    #[default]
    Disabled,
}

impl Flag {
    /// Whether a field behind this flag may be set.
    pub fn is_on(self) -> bool {
        self != Self::Disabled
    }
}

/// Which safe defaults a pod gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecurePodDefaults {
    /// None.
    #[default]
    Disabled,
    /// All but runAsNonRoot.
    AllowRootBounded,
    /// All.
    Enabled,
}

const FLAGS: [(&str, Flag); 3] = [
    ("Enabled", Flag::Enabled),
    ("Allowed", Flag::Allowed),
    ("Disabled", Flag::Disabled),
];

const SECURITY: [(&str, SecurePodDefaults); 3] = [
    ("Enabled", SecurePodDefaults::Enabled),
    ("AllowRootBounded", SecurePodDefaults::AllowRootBounded),
    ("Disabled", SecurePodDefaults::Disabled),
];

/// The flags: field, key, default. An unknown value leaves the default.
macro_rules! features {
    ($($(#[$doc:meta])* $field:ident $key:literal $default:ident,)*) => {
        /// config-features: what users may use.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct FeaturesConfig {
            $($(#[$doc])* pub $field: Flag,)*
            /// Which safe defaults a pod gets.
            pub secure_pod_defaults: SecurePodDefaults,
        }

        impl Default for FeaturesConfig {
            fn default() -> Self {
                Self {
                    $($field: Flag::$default,)*
                    secure_pod_defaults: SecurePodDefaults::Disabled,
                }
            }
        }

        impl FeaturesConfig {
            fn read_flags(&mut self, data: &Reader<'_>) {
                $(data.choice($key, &FLAGS, &mut self.$field);)*
                data.choice("secure-pod-defaults", &SECURITY, &mut self.secure_pod_defaults);
            }
        }
    };
}

features! {
    /// Several containers in a pod.
    multi_container "multi-container" Enabled,
    /// Probes of containers that get no requests.
    multi_container_probing "multi-container-probing" Disabled,
    /// Find out whether an app speaks h2c.
    autodetect_http2 "autodetect-http2" Disabled,
    /// Header that chooses a tag.
    tag_header_based_routing "tag-header-based-routing" Disabled,
    /// Pod annotations as a volume of the sidecar.
    queueproxy_mount_podinfo "queueproxy.mount-podinfo" Disabled,
    /// Limits of the sidecar where nothing is said.
    queueproxy_resource_defaults "queueproxy.resource-defaults" Disabled,
    /// capabilities.add of containers.
    kubernetes_containerspec_addcapabilities "kubernetes.containerspec-addcapabilities" Disabled,
    /// affinity of pods.
    kubernetes_podspec_affinity "kubernetes.podspec-affinity" Disabled,
    /// topologySpreadConstraints of pods.
    kubernetes_podspec_topologyspreadconstraints
        "kubernetes.podspec-topologyspreadconstraints" Disabled,
    /// hostAliases of pods.
    kubernetes_podspec_hostaliases "kubernetes.podspec-hostaliases" Disabled,
    /// nodeSelector of pods.
    kubernetes_podspec_nodeselector "kubernetes.podspec-nodeselector" Disabled,
    /// tolerations of pods.
    kubernetes_podspec_tolerations "kubernetes.podspec-tolerations" Disabled,
    /// Environment from fields of the pod.
    kubernetes_podspec_fieldref "kubernetes.podspec-fieldref" Disabled,
    /// runtimeClassName of pods.
    kubernetes_podspec_runtimeclassname "kubernetes.podspec-runtimeclassname" Disabled,
    /// dnsPolicy of pods.
    kubernetes_podspec_dnspolicy "kubernetes.podspec-dnspolicy" Disabled,
    /// dnsConfig of pods.
    kubernetes_podspec_dnsconfig "kubernetes.podspec-dnsconfig" Disabled,
    /// securityContext of pods.
    kubernetes_podspec_securitycontext "kubernetes.podspec-securitycontext" Disabled,
    /// shareProcessNamespace of pods.
    kubernetes_podspec_shareprocessnamespace "kubernetes.podspec-shareprocessnamespace" Disabled,
    /// hostIPC of pods.
    kubernetes_podspec_hostipc "kubernetes.podspec-hostipc" Disabled,
    /// hostPID of pods.
    kubernetes_podspec_hostpid "kubernetes.podspec-hostpid" Disabled,
    /// hostNetwork of pods.
    kubernetes_podspec_hostnetwork "kubernetes.podspec-hostnetwork" Disabled,
    /// priorityClassName of pods.
    kubernetes_podspec_priorityclassname "kubernetes.podspec-priorityclassname" Disabled,
    /// schedulerName of pods.
    kubernetes_podspec_schedulername "kubernetes.podspec-schedulername" Disabled,
    /// initContainers of pods.
    kubernetes_podspec_init_containers "kubernetes.podspec-init-containers" Disabled,
    /// Volumes of kind persistentVolumeClaim.
    kubernetes_podspec_persistent_volume_claim
        "kubernetes.podspec-persistent-volume-claim" Disabled,
    /// Persistent volumes that the app may write.
    kubernetes_podspec_persistent_volume_write
        "kubernetes.podspec-persistent-volume-write" Disabled,
    /// Volumes of kind emptyDir.
    kubernetes_podspec_volumes_emptydir "kubernetes.podspec-volumes-emptydir" Enabled,
    /// Volumes of kind image.
    kubernetes_podspec_volumes_image "kubernetes.podspec-volumes-image" Disabled,
    /// Volumes of kind hostPath.
    kubernetes_podspec_volumes_hostpath "kubernetes.podspec-volumes-hostpath" Disabled,
    /// Volumes of kind ephemeral.
    kubernetes_podspec_volumes_ephemeral "kubernetes.podspec-volumes-ephemeral" Disabled,
    /// Volumes of kind csi.
    kubernetes_podspec_volumes_csi "kubernetes.podspec-volumes-csi" Disabled,
    /// mountPropagation of mounts.
    kubernetes_podspec_volumes_mount_propagation
        "kubernetes.podspec-volumes-mount-propagation" Disabled,
}

impl FeaturesConfig {
    /// Reads the data of config-features. Never fails: unknown values are ignored.
    pub fn parse(data: &Data) -> Result<Self, ConfigError> {
        Self::read(&Reader::new(data))
    }

    #[expect(clippy::unnecessary_wraps, reason = "all config maps are read alike")]
    pub(super) fn read(data: &Reader<'_>) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        config.read_flags(data);
        Ok(config)
    }
}
