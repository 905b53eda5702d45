# shellcheck shell=bash
# etcd, the API server, the controller manager and the scheduler. One of each, so no leader elections.

# The data lives as long as the cluster, so nothing waits for the disk.
start_etcd() {
  start_part etcd -- etcd --name "$NODE_NAME" --data-dir "$RUN/etcd" --unsafe-no-fsync \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --log-level warn
}

# The requestheader and proxy-client flags are what aggregated APIs (metrics-server) need. Webhooks and
# aggregated APIs are reached by ClusterIP: kube-proxy works in the same network namespace.
start_apiserver() {
  start_part kube-apiserver "$PKI/kube-apiserver.crt" -- "$KUBERNETES_BIN/kube-apiserver" \
    --etcd-servers=http://127.0.0.1:2379 \
    --bind-address=0.0.0.0 --advertise-address="$NODE_IP" --secure-port=6443 \
    --service-cluster-ip-range="$SERVICE_RANGE" \
    --allow-privileged=true \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
    --tls-cert-file="$PKI/kube-apiserver.crt" --tls-private-key-file="$PKI/kube-apiserver.key" \
    --client-ca-file="$PKI/ca.crt" \
    --service-account-issuer=https://kubernetes.default.svc \
    --service-account-key-file="$PKI/sa.pub" --service-account-signing-key-file="$PKI/sa.key" \
    --kubelet-client-certificate="$PKI/admin.crt" --kubelet-client-key="$PKI/admin.key" \
    --kubelet-preferred-address-types=InternalIP \
    --requestheader-client-ca-file="$PKI/ca.crt" --requestheader-allowed-names=front-proxy \
    --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
    --requestheader-extra-headers-prefix=X-Remote-Extra- \
    --proxy-client-cert-file="$PKI/front-proxy.crt" --proxy-client-key-file="$PKI/front-proxy.key"
}

apiserver_ready() { kubectl_quick get --raw /readyz; }

# Its own cache folder, or `down` would leave one in the home folder.
kubectl_admin() {
  "$KUBECTL" --kubeconfig "$ADMIN_KUBECONFIG" --cache-dir "$RUN/kubectl-cache" "$@"
}

# For questions that are asked again: without etcd the API server takes a minute to say no.
kubectl_quick() { kubectl_admin --request-timeout=2s "$@"; }

# node-monitor-grace-period: while the API server stands still the only node can't say that it is well, and
# must not be taken for lost afterwards, with all that runs on it.
start_controllers() {
  start_part kube-controller-manager "$RUN/kubeconfig/kube-controller-manager" -- \
    "$KUBERNETES_BIN/kube-controller-manager" \
    --kubeconfig="$RUN/kubeconfig/kube-controller-manager" --bind-address=127.0.0.1 \
    --leader-elect=false --allocate-node-cidrs=false --use-service-account-credentials=true \
    --service-account-private-key-file="$PKI/sa.key" --root-ca-file="$PKI/ca.crt" \
    --cluster-signing-cert-file="$PKI/ca.crt" --cluster-signing-key-file="$PKI/ca.key" \
    --flex-volume-plugin-dir="$RUN/volume-plugins" --node-monitor-grace-period=5m \
    --kube-api-qps=100 --kube-api-burst=200
  start_part kube-scheduler "$RUN/kubeconfig/kube-scheduler" -- "$KUBERNETES_BIN/kube-scheduler" \
    --kubeconfig="$RUN/kubeconfig/kube-scheduler" --bind-address=127.0.0.1 --leader-elect=false \
    --kube-api-qps=100 --kube-api-burst=200
}

controllers_ready() { in_node curl -fsSk -m 2 https://127.0.0.1:10257/healthz; }
scheduler_ready() { in_node curl -fsSk -m 2 https://127.0.0.1:10259/healthz; }
