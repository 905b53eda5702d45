# shellcheck shell=bash
# kubelet and kube-proxy.

start_kubelet() {
  save_kernel_settings
  make_pod_cgroup
  write_kubelet_config
  start_part kubelet "$RUN/kubelet.yaml" "$RUN/kubeconfig/kubelet" -- "$KUBERNETES_BIN/kubelet" \
    --config="$RUN/kubelet.yaml" --kubeconfig="$RUN/kubeconfig/kubelet" --root-dir="$RUN/kubelet" \
    --hostname-override="$NODE_NAME" --node-ip="$NODE_IP"
}

# failCgroupV1: this kind of machine still mounts version 1. evictionHard: a test machine's disk may be
# nearly full without harm. resolvConf: there is no name server to hand to pods beyond CoreDNS.
write_kubelet_config() {
  write_file "$RUN/kubelet.yaml" <<EOF
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: $PKI/ca.crt}
authorization: {mode: Webhook}
tlsCertFile: $PKI/kubelet.crt
tlsPrivateKeyFile: $PKI/kubelet.key
containerRuntimeEndpoint: unix://$CONTAINERD_SOCKET
cgroupDriver: cgroupfs
cgroupRoot: /$CGROUP
failCgroupV1: false
failSwapOn: false
clusterDNS: [$DNS_IP]
clusterDomain: cluster.local
resolvConf: ""
maxPods: 200
kubeAPIQPS: 100
kubeAPIBurst: 200
serializeImagePulls: false
registryPullQPS: 0
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%, nodefs.inodesFree: 1%}
staticPodPath: $RUN/static-pods
podLogsDir: $RUN/pod-logs
volumePluginDir: $RUN/volume-plugins
EOF
  mkdir -p "$RUN/static-pods"
}

# kubelet wants its cgroup to be there already, in every hierarchy.
make_pod_cgroup() {
  if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
    mkdir -p "/sys/fs/cgroup/$CGROUP"
    return
  fi
  local hierarchy
  for hierarchy in /sys/fs/cgroup/*/; do
    mkdir -p "$hierarchy$CGROUP"
  done
  inherit_cpuset
}

# A new version 1 cpuset is empty, and no process may enter it before it has got CPUs and memory.
inherit_cpuset() {
  local dir=/sys/fs/cgroup/cpuset file
  [[ -d $dir/$CGROUP ]] || return 0
  for file in cpuset.cpus cpuset.mems; do
    [[ -n $(<"$dir/$CGROUP/$file") ]] || cat "$dir/$file" >"$dir/$CGROUP/$file"
  done
}

# kubelet sets these for the whole machine; `down` puts the old values back.
KERNEL_SETTINGS=(vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops
  kernel.keys.root_maxkeys kernel.keys.root_maxbytes)

save_kernel_settings() {
  [[ -e $RUN/kernel-settings ]] || sysctl "${KERNEL_SETTINGS[@]}" 2>/dev/null | write_file "$RUN/kernel-settings"
}

restore_kernel_settings() {
  [[ ! -e $RUN/kernel-settings ]] || sysctl -q -p "$RUN/kernel-settings" >/dev/null 2>&1 || true
}

# conntrack-max-per-core: the limit is the machine's, and not to be set from a namespace.
start_proxy() {
  start_part kube-proxy "$RUN/kubeconfig/kube-proxy" -- "$KUBERNETES_BIN/kube-proxy" \
    --kubeconfig="$RUN/kubeconfig/kube-proxy" --hostname-override="$NODE_NAME" \
    --proxy-mode=iptables --cluster-cidr="$POD_RANGE" --conntrack-max-per-core=0
}

proxy_ready() { in_node curl -fsS -m 2 http://127.0.0.1:10256/healthz; }

node_ready() {
  local ready='{.status.conditions[?(@.type=="Ready")].status}'
  [[ $(kubectl_quick get node "$NODE_NAME" -o "jsonpath=$ready" 2>/dev/null) == True ]]
}
