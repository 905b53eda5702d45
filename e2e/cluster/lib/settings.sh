# shellcheck shell=bash disable=SC2034
# Names, addresses and folders of the cluster. Everything that it writes lies under RUN and CACHE.

# RUN must lie on a file system that carries overlayfs: /run is often a small tmpfs, so it isn't there.
RUN=${FERMATA_RUN:-/var/lib/fermata-cluster}
CACHE=${FERMATA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fermata}

# The node lives in a network namespace that has no default route: nothing sent to a pod, a Service or
# the node can leave the machine.
NETNS=fermata
HOST_LINK=veth-fermata
HOST_IP=172.30.0.1
NODE_IP=172.30.0.2
NODE_PREFIX=24
NODE_NAME=node1
POD_RANGE=10.244.1.0/24
SERVICE_RANGE=10.96.0.0/16
API_SERVICE_IP=10.96.0.1
DNS_IP=10.96.0.10
API_URL=https://$NODE_IP:6443

# What manifests say, and where it listens. Only containerd and CoreDNS know the name; see registry_address.
REGISTRY=registry.local:5000
REGISTRY_ADDRESS=$NODE_IP:5000

# All pods' cgroups lie below this one, so that `down` can tell them from other people's.
CGROUP=fermata
CONTAINERD_SOCKET=$RUN/containerd.sock
ADMIN_KUBECONFIG=$RUN/kubeconfig/admin

# In the order in which they start. `down` takes them the other way round.
PARTS=(etcd registry containerd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy)
