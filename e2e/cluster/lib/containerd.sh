# shellcheck shell=bash
# containerd, the pod network's CNI configuration, and the registry that images come from.

start_containerd() {
  write_containerd_config
  write_cni_config
  write_registry_hosts
  start_part containerd "$RUN/containerd.toml" -- containerd -c "$RUN/containerd.toml"
}

# restrict_oom_score_adj: lowering the score needs CAP_SYS_RESOURCE, and without it every sandbox fails.
# BinaryName: crun starts a container for a third of the CPU that runc needs, and two cores are few. It
# is started by parts/crun, for machines with both kinds of cgroups.
# netns_mounts_under_state_dir, Root, opt: all state lies below RUN, where `down` finds it.
write_containerd_config() {
  write_file "$RUN/containerd.toml" <<EOF
version = 2
root = "$RUN/containerd"
state = "$RUN/containerd-state"

[grpc]
  address = "$CONTAINERD_SOCKET"

[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  sandbox_image = "localhost/pause:1"

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "$CRUN_DIR/crun"
        SystemdCgroup = false
        Root = "$RUN/runc"

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$RUN/cni"

  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "$RUN/registry-hosts"

[plugins."io.containerd.internal.v1.opt"]
  path = "$RUN/opt"
EOF
}

write_cni_config() {
  write_file "$RUN/cni/10-bridge.conflist" <<EOF
{"cniVersion": "0.4.0", "name": "fermata", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "$RUN/cni-addresses",
            "ranges": [[{"subnet": "$POD_RANGE"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
EOF
}

# The name is resolved here, so nobody's /etc/hosts has to know it.
write_registry_hosts() {
  write_file "$RUN/registry-hosts/$REGISTRY/hosts.toml" <<EOF
server = "http://$REGISTRY_ADDRESS"

[host."http://$REGISTRY_ADDRESS"]
  capabilities = ["pull", "resolve", "push"]
EOF
}

containerd_answers() { ctr_node version; }

ctr_node() { ctr --address "$CONTAINERD_SOCKET" --namespace k8s.io "$@"; }

# What the cluster itself runs comes from archives in the cache, not through the registry.
import_images() {
  local present
  present=$(ctr_node images ls -q)
  import_image localhost/pause:1 "$PAUSE_DIR/image.tar"
  import_image localhost/coredns:1 "$COREDNS_DIR/image.tar"
}

# The mark says which build is in: the name alone would keep an old one.
import_image() {
  local name=$1 archive=$2 mark=$RUN/imported/${1##*/}
  if [[ $present == *"$name"* && -e $mark && $(<"$mark") == "$archive" ]]; then return; fi
  ctr_node images import "$archive" >"$RUN/logs/import.log" 2>&1 ||
    die_with_log containerd "$RUN/logs/import.log" "$archive could not be imported"
  write_file "$mark" <<<"$archive"
}

# The registry keeps its images in the cache, so they outlive `down`, and a second demo pushes nothing.
start_registry() {
  mkdir -p "$CACHE/registry"
  write_file "$RUN/registry.yaml" <<EOF
version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: $CACHE/registry}
  delete: {enabled: true}
http: {addr: ":${REGISTRY##*:}"}
EOF
  start_part registry "$RUN/registry.yaml" -- docker-registry serve "$RUN/registry.yaml"
}

registry_answers() { curl --noproxy '*' -fsS -m 2 "http://$REGISTRY_ADDRESS/v2/"; }
