//! Volumes that we add to a pod, all of them optional (contract/control-plane 2.4).

use std::collections::BTreeMap;

use crds::config::Flag;
use k8s_openapi::api::core::v1::{
    Container, DownwardAPIProjection, DownwardAPIVolumeFile, EmptyDirVolumeSource,
    ObjectFieldSelector, ProjectedVolumeSource, SecretVolumeSource, ServiceAccountTokenProjection,
    Volume, VolumeMount, VolumeProjection,
};
use kube::ResourceExt;
use net::contract::certificate;

use super::Inputs;
use super::queue_proxy::{field, is_enabled};

const VAR_LOG: &str = "knative-var-log";
const TOKEN: &str = "knative-token-volume";
const POD_INFO: &str = "pod-info";
const POD_INFO_ANNOTATION: &str = "features.knative.dev/queueproxy-podinfo";
const TOKEN_SECONDS: i64 = 3600;

/// Variables that the path of a container's logs is made of.
const LOG_POD: &str = "K_INTERNAL_POD_NAME";
const LOG_NAMESPACE: &str = "K_INTERNAL_POD_NAMESPACE";

/// The volumes that settings and annotations ask for.
pub(super) fn volumes(inputs: &Inputs<'_>) -> Vec<Volume> {
    let named = |name: &str| Volume {
        name: name.to_owned(),
        ..Volume::default()
    };
    let logs = collects_logs(inputs).then(|| Volume {
        empty_dir: Some(EmptyDirVolumeSource::default()),
        ..named(VAR_LOG)
    });
    let secret = SecretVolumeSource {
        secret_name: Some(certificate::SERVING.to_owned()),
        ..SecretVolumeSource::default()
    };
    let certs = has_certs(inputs).then(|| Volume {
        secret: Some(secret),
        ..named(certificate::VOLUME)
    });
    let token = has_token(inputs).then(|| Volume {
        projected: Some(tokens(inputs)),
        ..named(TOKEN)
    });
    let info = has_pod_info(inputs).then(|| Volume {
        projected: Some(pod_info()),
        ..named(POD_INFO)
    });
    [logs, certs, token, info].into_iter().flatten().collect()
}

/// Where the sidecar finds them.
pub(super) fn sidecar_mounts(inputs: &Inputs<'_>) -> Vec<VolumeMount> {
    let mount = |name: &str, path: &str| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: Some(true),
        ..VolumeMount::default()
    };
    [
        has_certs(inputs).then(|| mount(certificate::VOLUME, certificate::FOLDER)),
        has_token(inputs).then(|| mount(TOKEN, "/var/run/secrets/tokens")),
        has_pod_info(inputs).then(|| mount(POD_INFO, "/etc/podinfo")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Puts `/var/log` of a user container where a log collector of the node finds it.
pub(super) fn collect_logs(inputs: &Inputs<'_>, container: &mut Container) {
    if !collects_logs(inputs) {
        return;
    }
    let path = format!("$({LOG_NAMESPACE})_$({LOG_POD})_{}", container.name);
    container
        .volume_mounts
        .get_or_insert_default()
        .push(VolumeMount {
            name: VAR_LOG.to_owned(),
            mount_path: "/var/log".to_owned(),
            sub_path_expr: Some(path),
            ..VolumeMount::default()
        });
    let environment = container.env.get_or_insert_default();
    environment.push(field(LOG_POD, "metadata.name"));
    environment.push(field(LOG_NAMESPACE, "metadata.namespace"));
}

fn collects_logs(inputs: &Inputs<'_>) -> bool {
    inputs
        .settings
        .observability
        .logging_enable_var_log_collection
}

fn has_certs(inputs: &Inputs<'_>) -> bool {
    inputs.settings.network.system_internal_tls
}

fn has_token(inputs: &Inputs<'_>) -> bool {
    !inputs
        .settings
        .deployment
        .queue_sidecar_token_audiences
        .is_empty()
}

fn has_pod_info(inputs: &Inputs<'_>) -> bool {
    let annotations: &BTreeMap<String, String> = inputs.revision.annotations();
    match inputs.settings.features.queueproxy_mount_podinfo {
        Flag::Enabled => true,
        Flag::Allowed => is_enabled(annotations, POD_INFO_ANNOTATION),
        Flag::Disabled => false,
    }
}

fn tokens(inputs: &Inputs<'_>) -> ProjectedVolumeSource {
    let audiences = inputs
        .settings
        .deployment
        .queue_sidecar_token_audiences
        .iter();
    let token = |audience: &String| VolumeProjection {
        service_account_token: Some(ServiceAccountTokenProjection {
            audience: Some(audience.clone()),
            expiration_seconds: Some(TOKEN_SECONDS),
            path: audience.clone(),
        }),
        ..VolumeProjection::default()
    };
    ProjectedVolumeSource {
        sources: Some(audiences.map(token).collect()),
        default_mode: None,
    }
}

fn pod_info() -> ProjectedVolumeSource {
    let annotations = DownwardAPIVolumeFile {
        path: "annotations".to_owned(),
        field_ref: Some(ObjectFieldSelector {
            field_path: "metadata.annotations".to_owned(),
            api_version: None,
        }),
        ..DownwardAPIVolumeFile::default()
    };
    let source = VolumeProjection {
        downward_api: Some(DownwardAPIProjection {
            items: Some(vec![annotations]),
        }),
        ..VolumeProjection::default()
    };
    ProjectedVolumeSource {
        sources: Some(vec![source]),
        default_mode: None,
    }
}
