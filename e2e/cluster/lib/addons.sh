# shellcheck shell=bash
# What runs in the cluster as pods, and addresses for LoadBalancer Services.

apply_addons() {
  local log=$RUN/logs/addons.log deadline=$((SECONDS + 20))
  # An API server that has just become ready may still be making its namespaces.
  until apply_coredns >"$log" 2>&1; do
    ((SECONDS < deadline)) || die_with_log coredns "$log" "its manifest could not be applied"
    sleep 0.2
  done
}

apply_coredns() {
  sed -e "s|@DNS_IP@|$DNS_IP|g" -e "s|@NODE_IP@|$NODE_IP|g" -e "s|@REGISTRY_HOST@|${REGISTRY%:*}|g" \
    -e "s|@BUILD@|${COREDNS_DIR##*-}|g" "$HERE/manifests/coredns.yaml" |
    kubectl_admin apply -f -
}

dns_ready() {
  [[ $(kubectl_quick -n kube-system get deployment coredns -o 'jsonpath={.status.readyReplicas}' 2>/dev/null) == 1 ]]
}

# wait_for_dns: on failure the pod's description says more than any log of ours.
wait_for_dns() {
  local deadline=$((SECONDS + 60)) log=$RUN/logs/coredns.log
  until dns_ready; do
    if ((SECONDS >= deadline)); then
      {
        kubectl_admin -n kube-system describe pod -l k8s-app=kube-dns
        kubectl_admin -n kube-system logs -l k8s-app=kube-dns --tail 20
      } >"$log" 2>&1 || true
      die_with_log coredns "$log" "not ready after 60 s"
    fi
    sleep 0.1
  done
}

# apply_metrics: the metrics server comes through the registry, unlike what every cluster has.
apply_metrics() {
  local image=$REGISTRY/metrics-server:${METRICS_BIN##*-}
  "$HERE/image" "$image" "$METRICS_BIN/metrics-server" >/dev/null
  sed -e "s|@IMAGE@|$image|g" "$HERE/manifests/metrics-server.yaml" | kubectl_admin apply -f - >/dev/null
}

# It answers when it has looked at the node twice.
metrics_ready() { kubectl_quick get --raw "/apis/metrics.k8s.io/v1beta1/nodes/$NODE_NAME"; }

# expose NAMESPACE SERVICE: what a cloud's controller does for a Service of type LoadBalancer. kube-proxy
# then serves the node's address on the Service's ports; two Services can't have the same port.
expose() {
  kubectl_admin -n "$1" patch service "$2" --subresource=status --type=merge \
    -p "{\"status\":{\"loadBalancer\":{\"ingress\":[{\"ip\":\"$NODE_IP\"}]}}}"
}
