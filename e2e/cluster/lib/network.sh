# shellcheck shell=bash
# The node's network namespace and its one link to the host. Each step looks first, so a half-made
# network is completed.

make_network() {
  namespace_usable || remake_namespace
  if ! ip link show "$HOST_LINK" >/dev/null 2>&1; then
    ip link add "$HOST_LINK" type veth peer name eth0 netns "$NETNS"
  fi
  ip link set "$HOST_LINK" alias "$RUN"
  ip addr replace "$HOST_IP/$NODE_PREFIX" dev "$HOST_LINK"
  ip link set "$HOST_LINK" up
  ip -n "$NETNS" addr replace "$NODE_IP/$NODE_PREFIX" dev eth0
  ip -n "$NETNS" link set lo up
  ip -n "$NETNS" link set eth0 up
  hold_service_range
  set_forwarding
  # From the host straight to pods and Services, as from another node.
  ip route replace "$POD_RANGE" via "$NODE_IP"
  ip route replace "$SERVICE_RANGE" via "$NODE_IP"
}

# The link's alias says whose network it is: a machine has room for one cluster, and one with another
# FERMATA_RUN is not ours to continue or to end.
network_owner() { cat "/sys/class/net/$HOST_LINK/ifalias" 2>/dev/null || true; }

refuse_foreign_cluster() {
  local owner
  owner=$(network_owner)
  [[ -z $owner || $owner == "$RUN" ]] || die "this machine's cluster is another one, with FERMATA_RUN=$owner"
}

# A port-less bridge swallows what kube-proxy has no rule for. (This kernel may have no dummy links.)
hold_service_range() {
  if ! ip -n "$NETNS" link show services >/dev/null 2>&1; then
    ip -n "$NETNS" link add services type bridge
  fi
  ip -n "$NETNS" link set services up
  ip -n "$NETNS" route replace "$SERVICE_RANGE" dev services src "$NODE_IP"
}

set_forwarding() {
  in_node sysctl -qw net.ipv4.ip_forward=1
  # Absent where br_netfilter isn't loaded; then a pod can't reach itself through its own Service.
  in_node sysctl -qw net.bridge.bridge-nf-call-iptables=1 2>/dev/null || true
}

# Not `ip netns exec`: that mounts a new /sys, in which there are no cgroups.
in_node() { nsenter --net="/run/netns/$NETNS" "$@"; }

namespace_usable() { in_node true 2>/dev/null; }

# A run killed between its two steps leaves a plain file without a namespace mounted on it.
remake_namespace() {
  remove_network
  ip netns add "$NETNS"
}

remove_network() {
  ip link delete "$HOST_LINK" 2>/dev/null || true # its routes and its peer go with it
  if [[ -e /run/netns/$NETNS ]]; then
    umount "/run/netns/$NETNS" 2>/dev/null || true
    rm -f "/run/netns/$NETNS"
  fi
  remove_namespace_folder
}

# `ip netns add` mounts the folder of the namespaces on itself; when nobody has one any more, that goes too.
remove_namespace_folder() {
  [[ -d /run/netns && -z $(ls -A /run/netns) ]] || return 0
  while mountpoint -q /run/netns; do umount /run/netns || break; done
  rmdir /run/netns 2>/dev/null || true
}
