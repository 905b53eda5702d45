# shellcheck shell=bash
# One function for each command of `cluster`.

usage() {
  cat <<EOF
usage: cluster COMMAND

  up                         start the cluster, or what of it does not run
  down                       end it and remove everything but the cache
  status                     what runs; fails unless all does
  env                        export lines for a shell: eval "\$(cluster env)"
  kubeconfig                 path of the administrator's kubeconfig
  registry                   the registry, as image names spell it
  expose NAMESPACE SERVICE   give a LoadBalancer Service the node's address
  metrics                    start a metrics server, for HorizontalPodAutoscalers
  logs [PART]                path of a part's log, or of the folder of all
  freeze PART SECONDS        let a part stand still for so long, as if its machine did

FERMATA_RUN   (now $RUN) holds the cluster's state, and is removed by down
FERMATA_CACHE (now $CACHE) holds what was built, and the registry's images
EOF
}

# lock: one command at a time. The lock is on the folder around RUN, so it leaves no file behind. What a
# killed `up` left running (a compiler, apt-get) still holds it, and is waited for.
lock() {
  [[ $RUN == /*/* ]] || die "FERMATA_RUN must be an absolute path, not in /"
  ((EUID == 0)) || die "this needs root"
  mkdir -p "$(dirname "$RUN")"
  exec 9<"$(dirname "$RUN")"
  flock -n 9 && return
  step lock "waiting for another run of cluster"
  flock 9
}

cluster_up() {
  start_clock
  lock
  refuse_foreign_cluster
  discard_remains
  claim_run_dir
  install_packages
  build_parts
  make_network
  make_pki
  step network "namespace $NETNS, node $NODE_IP"
  start_parts
  wait_for_parts
  step cluster "up"
  print_welcome
}

# Files without a usable namespace are from before a reboot, or of an `up` that did not get far; a namespace
# without files has lost them; and what a killed `down` left can't be continued either.
discard_remains() {
  [[ -e $MARK || -e /run/netns/$NETNS ]] || return 0
  if [[ -e $MARK && ! -e $GOING_DOWN ]] && namespace_usable; then return; fi
  step remains "of an earlier run are removed"
  tear_down
}

# What does not need the API server starts while that does.
start_parts() {
  start_etcd
  start_apiserver
  start_registry
  start_containerd
  wait_until containerd 30 containerd_answers
  import_images
  wait_until kube-apiserver 90 apiserver_ready
  step kube-apiserver ready
  start_controllers
  start_kubelet
  start_proxy
  apply_addons
}

wait_for_parts() {
  wait_until registry 30 registry_answers
  wait_until kube-controller-manager 60 controllers_ready
  wait_until kube-scheduler 60 scheduler_ready
  wait_until kubelet 60 node_ready
  step kubelet "node Ready"
  wait_until kube-proxy 60 proxy_ready
  wait_for_dns
  step coredns ready
}

print_welcome() {
  cat <<EOF

eval "\$($HERE/cluster env)"       # kubectl on the PATH, KUBECONFIG set
kubectl get pods -A
$HERE/image $REGISTRY/hello:1 BINARY   # push an image of a static binary
$HERE/cluster down
EOF
}

cluster_down() {
  start_clock
  lock
  refuse_foreign_cluster
  tear_down
  step cluster "down; the cache stays: $CACHE"
}

# cluster_status: the table, and whether all is well as exit code.
cluster_status() {
  local part pid well=0
  find_parts
  printf '%-26s %-8s %-10s %s\n' PART PID SINCE STATE
  for part in "${PARTS[@]}"; do
    if pid=$(part_pid "$part"); then
      printf '%-26s %-8s %-10s %s\n' "$part" "$pid" "$(part_since "$pid")" running
    elif [[ -e $(part_pidfile "$part") ]]; then
      printf '%-26s %-8s %-10s %s\n' "$part" - - "dead, see $(part_log "$part")"
      well=1
    else
      printf '%-26s %-8s %-10s %s\n' "$part" - - "not started"
      well=1
    fi
  done
  print_check "node $NODE_NAME" node_ready Ready || well=1
  print_check coredns dns_ready Ready || well=1
  return "$well"
}

print_check() {
  if part_alive kube-apiserver && "$2"; then
    printf '%-26s %-8s %-10s %s\n' "$1" - - "$3"
  else
    printf '%-26s %-8s %-10s %s\n' "$1" - - "not $3"
    return 1
  fi
}

cluster_metrics() {
  start_clock
  lock
  [[ -e $ADMIN_KUBECONFIG ]] || die "the cluster is not up"
  find_parts
  build_part metrics-server "$METRICS_BIN" build_metrics_server "two to three minutes"
  apply_metrics
  wait_until metrics-server 90 metrics_ready
  step metrics-server answers
}

cluster_kubeconfig() { echo "$ADMIN_KUBECONFIG"; }
cluster_registry() { echo "$REGISTRY"; }

cluster_logs() {
  if (($#)); then part_log "$1"; else echo "$RUN/logs"; fi
}

cluster_env() {
  find_parts
  echo "export PATH=$KUBERNETES_BIN:\$PATH"
  echo "export KUBECONFIG=$ADMIN_KUBECONFIG"
  echo "export KUBECACHEDIR=$RUN/kubectl-cache" # else kubectl keeps one in the home folder
  echo "export FERMATA_REGISTRY=$REGISTRY"
  echo "export FERMATA_NODE=$NODE_IP"
}

cluster_expose() {
  (($# == 2)) || die "usage: cluster expose NAMESPACE SERVICE"
  [[ -e $ADMIN_KUBECONFIG ]] || die "the cluster is not up"
  find_parts
  expose "$1" "$2"
}

# However this ends, the part runs on, unless this is killed.
cluster_freeze() {
  (($# == 2)) || die "usage: cluster freeze PART SECONDS"
  local pid
  is_process_part "$1" || die "there is no part $1: ${PARTS[*]}"
  [[ $2 =~ ^[0-9]+$ ]] || die "$2 is no number of seconds"
  pid=$(part_pid "$1") || die "$1 does not run"
  # shellcheck disable=SC2064
  trap "kill -CONT $pid" EXIT
  kill -STOP "$pid"
  sleep "$2" &
  wait "$!"
}
