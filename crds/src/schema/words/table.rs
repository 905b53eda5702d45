//! The words themselves.

/// A field, the key of config-features that must allow it (empty: none), and what it means.
pub(super) type Words = (&'static str, &'static str, &'static str);

/// Where the fields of each table lie in a RevisionSpec.
pub(super) const PLACES: [(&str, &[Words]); 3] = [
    ("", SPEC),
    ("containers[]", CONTAINER),
    ("volumes[]", VOLUME),
];

const SPEC: &[Words] = &[
    ("", "", "Pod and request rules of the revision."),
    (
        "containerConcurrency",
        "",
        "Most requests that one pod gets at once, 0 to 1000; 0 is no limit. Default: \
         container-concurrency of config-defaults, 0.",
    ),
    (
        "timeoutSeconds",
        "",
        "Longest time for one request, in seconds, 0 to 600 (max-revision-timeout-seconds of \
         config-defaults). Before the answer has started, the client gets 504; after that, the answer \
         ends. Default, and meaning of 0: revision-timeout-seconds of config-defaults, 300.",
    ),
    (
        "responseStartTimeoutSeconds",
        "",
        "Longest time until the answer starts, in seconds. Default: \
         revision-response-start-timeout-seconds of config-defaults, where that is less than \
         timeoutSeconds.",
    ),
    (
        "idleTimeoutSeconds",
        "",
        "Longest time in which no byte of the answer comes, in seconds; 0 is no limit. Default: \
         revision-idle-timeout-seconds of config-defaults, where that is less than timeoutSeconds.",
    ),
    (
        "containers",
        "",
        "Containers of the pod, at least one. The only one, or the one with a port, gets the requests; \
         the others are sidecars.",
    ),
    (
        "initContainers",
        "kubernetes.podspec-init-containers",
        "Containers that run one after the other, and end, before the others start. No probes.",
    ),
    (
        "volumes",
        "",
        "Volumes that containers mount. Each has one source, and each must be mounted.",
    ),
    (
        "imagePullSecrets",
        "",
        "Secrets of the same namespace that may pull the images, besides those of the service account.",
    ),
    (
        "serviceAccountName",
        "",
        "Service account of the pod, a DNS subdomain. Default: the namespace's `default`.",
    ),
    (
        "automountServiceAccountToken",
        "",
        "Whether containers get the token of the service account. Only false may be said; left out, the \
         service account decides.",
    ),
    (
        "enableServiceLinks",
        "",
        "Whether containers get variables for every core Service of the namespace. Default: \
         enable-service-links of config-defaults, false.",
    ),
    (
        "affinity",
        "kubernetes.podspec-affinity",
        "Nodes and neighbours that the pods need, or prefer, or avoid.",
    ),
    (
        "nodeSelector",
        "kubernetes.podspec-nodeselector",
        "Labels that a node must have to get the pods.",
    ),
    (
        "tolerations",
        "kubernetes.podspec-tolerations",
        "Taints of nodes that do not keep the pods away.",
    ),
    (
        "topologySpreadConstraints",
        "kubernetes.podspec-topologyspreadconstraints",
        "How the pods spread over zones, nodes or other domains.",
    ),
    (
        "hostAliases",
        "kubernetes.podspec-hostaliases",
        "Lines to add to /etc/hosts of the pods.",
    ),
    (
        "runtimeClassName",
        "kubernetes.podspec-runtimeclassname",
        "RuntimeClass that runs the containers. Default: runtime-class-name of config-deployment, or \
         the runtime of the node.",
    ),
    (
        "securityContext",
        "kubernetes.podspec-securitycontext",
        "What holds for all containers that say nothing else: runAsUser, runAsGroup, runAsNonRoot, \
         fsGroup, supplementalGroups, seccompProfile. Ids are 0 to 2147483647.",
    ),
    (
        "shareProcessNamespace",
        "kubernetes.podspec-shareprocessnamespace",
        "Whether the containers of a pod see each other's processes. Default: false.",
    ),
    (
        "hostIPC",
        "kubernetes.podspec-hostipc",
        "Whether the pods use the IPC namespace of the node. Default: false.",
    ),
    (
        "hostPID",
        "kubernetes.podspec-hostpid",
        "Whether the pods see the processes of the node. Default: false.",
    ),
    (
        "hostNetwork",
        "kubernetes.podspec-hostnetwork",
        "Whether the pods use the network of the node. Default: false.",
    ),
    (
        "priorityClassName",
        "kubernetes.podspec-priorityclassname",
        "PriorityClass of the pods.",
    ),
    (
        "schedulerName",
        "kubernetes.podspec-schedulername",
        "Scheduler of the pods. Default: the cluster's.",
    ),
    (
        "dnsPolicy",
        "kubernetes.podspec-dnspolicy",
        "Where the pods look up names: ClusterFirst, ClusterFirstWithHostNet, Default or None. Default: \
         ClusterFirst.",
    ),
    (
        "dnsConfig",
        "kubernetes.podspec-dnsconfig",
        "Name servers, search domains and options, besides those that dnsPolicy brings.",
    ),
];

const CONTAINER: &[Words] = &[
    (
        "name",
        "",
        "Name of the container, unlike those of the others; not queue-proxy. Default: user-container, \
         or user-container-0 and so on where there are several.",
    ),
    (
        "image",
        "",
        "Image of the container. A tag is resolved to a digest when the revision is made, so all its \
         pods run the same.",
    ),
    (
        "env",
        "",
        "Environment of the container. PORT, K_SERVICE, K_CONFIGURATION and K_REVISION are set by the \
         system.",
    ),
    (
        "env[].valueFrom.fieldRef",
        "kubernetes.podspec-fieldref",
        "Takes the value from a field of the pod.",
    ),
    (
        "env[].valueFrom.resourceFieldRef",
        "kubernetes.podspec-fieldref",
        "Takes the value from a request or limit of the container.",
    ),
    (
        "ports",
        "",
        "The port that gets the requests. All containers together have at most one; of several \
         containers, one must have it.",
    ),
    (
        "ports[].containerPort",
        "",
        "Number of the port; the app finds it in PORT, too. Not 8008, 8012, 8013, 8022, 9090, 9091: \
         they are the sidecar's. Default, and meaning of 0: 8080.",
    ),
    (
        "ports[].name",
        "",
        "What the app speaks: http1, or h2c, which is HTTP/2 without TLS. Default: http1.",
    ),
    ("ports[].protocol", "", "Only TCP, the default."),
    (
        "resources",
        "",
        "What the container needs, and the most that it gets.",
    ),
    (
        "resources.requests",
        "",
        "What a node must have free to get the pod. Default: revision-cpu-request and the like of \
         config-defaults.",
    ),
    (
        "resources.limits",
        "",
        "The most that the container gets. Default: revision-cpu-limit and the like of config-defaults.",
    ),
    (
        "readinessProbe",
        "",
        "Whether the container can take requests; until it can, none reach it. The sidecar probes, \
         kubelet for exec. Default: a TCP connection to the port.",
    ),
    (
        "livenessProbe",
        "",
        "Whether the container is alive; where it is not, it is started again. Kubelet probes.",
    ),
    (
        "startupProbe",
        "",
        "Whether the container has started; until it has, the other probes wait. Kubelet probes.",
    ),
    (
        "readinessProbe.periodSeconds",
        "",
        "Pause between two probes, in seconds. Default: 0, the sidecar probes every few milliseconds until \
         the container is ready.",
    ),
    (
        "readinessProbe.failureThreshold",
        "",
        "How many probes fail in a row until the container is not ready. Default: 3; not with \
         periodSeconds 0.",
    ),
    (
        "readinessProbe.timeoutSeconds",
        "",
        "Longest time for one probe, in seconds. Default: 1; not with periodSeconds 0.",
    ),
    (
        "readinessProbe.successThreshold",
        "",
        "How many probes succeed in a row until the container is ready, at least 1. Default: 1.",
    ),
    (
        "securityContext",
        "",
        "What the container may do. secure-pod-defaults of config-features closes what is left open.",
    ),
    (
        "securityContext.capabilities.add",
        "kubernetes.containerspec-addcapabilities",
        "Capabilities that the container gets. NET_BIND_SERVICE is always allowed with \
         secure-pod-defaults.",
    ),
    ("securityContext.privileged", "", "Only false, the default."),
    (
        "securityContext.runAsUser",
        "",
        "User id of the container's process, 0 to 2147483647. Default: that of the image.",
    ),
    (
        "securityContext.runAsGroup",
        "",
        "Group id of the container's process, 0 to 2147483647. Default: that of the runtime.",
    ),
    (
        "volumeMounts[].mountPath",
        "",
        "Where the container finds the volume: an absolute path, unlike those of the others; not /, \
         /dev, /dev/log.",
    ),
    (
        "volumeMounts[].readOnly",
        "",
        "Whether the container can't write. Always true, unless the volume is an emptyDir, a \
         persistentVolumeClaim or ephemeral: there the default is false.",
    ),
    (
        "volumeMounts[].mountPropagation",
        "kubernetes.podspec-volumes-mount-propagation",
        "Whether mounts of the node appear in the container: None or HostToContainer. Default: None.",
    ),
];

const VOLUME: &[Words] = &[
    (
        "emptyDir",
        "kubernetes.podspec-volumes-emptydir",
        "An empty folder that lives as long as the pod: medium (empty is the disk, or Memory) and \
         sizeLimit. Allowed by default.",
    ),
    (
        "persistentVolumeClaim",
        "kubernetes.podspec-persistent-volume-claim",
        "A claim of the same namespace: claimName and readOnly. To write to it needs the feature \
         kubernetes.podspec-persistent-volume-write, too.",
    ),
    (
        "hostPath",
        "kubernetes.podspec-volumes-hostpath",
        "A file or folder of the node.",
    ),
    (
        "csi",
        "kubernetes.podspec-volumes-csi",
        "A volume that a CSI driver makes for the pod.",
    ),
    (
        "ephemeral",
        "kubernetes.podspec-volumes-ephemeral",
        "A volume of a storage class that is made with the pod and goes with it.",
    ),
    (
        "image",
        "kubernetes.podspec-volumes-image",
        "The files of an image: reference and pullPolicy.",
    ),
];
