# shellcheck shell=bash
# Takes everything away that `up` made, whatever state it is in, except the cache.

MARK=$RUN/.fermata-cluster
GOING_DOWN=$RUN/.going-down

# claim_run_dir: makes RUN ours. `down` deletes no folder without the mark.
claim_run_dir() {
  if [[ -d $RUN && ! -e $MARK && -n $(ls -A "$RUN") ]]; then
    die "$RUN holds files that are not ours; set FERMATA_RUN to another folder"
  fi
  mkdir -p "$RUN"/{logs,pids}
  touch "$MARK"
}

# Kubelet would start anew what we end, so it goes first. Nothing here is worth a slow farewell but the
# registry, whose files stay.
tear_down() {
  local part
  if [[ $(network_owner) == "$RUN" && -d $RUN ]]; then touch "$MARK"; fi # somebody deleted it
  if [[ -e $MARK ]]; then touch "$GOING_DOWN"; fi
  find_shim_sockets
  stop_part kubelet KILL
  for part in "${PARTS[@]}"; do
    [[ $part == kubelet || $part == registry ]] || stop_part "$part" KILL
  done
  stop_part registry TERM
  kill_pods
  kill_namespace_members
  remove_shim_sockets
  unmount_all
  remove_pod_cgroups
  remove_network
  remove_cni_cache
  remove_fixed_paths
  restore_kernel_settings
  remove_run_dir
}

pod_cgroups() {
  local dir
  for dir in /sys/fs/cgroup/"$CGROUP" /sys/fs/cgroup/*/"$CGROUP"; do
    [[ ! -d $dir ]] || echo "$dir"
  done
}

# Everything that lives in a pod's cgroup, wherever it was reparented to.
kill_pods() {
  local tries dirs pids
  mapfile -t dirs < <(pod_cgroups)
  ((${#dirs[@]})) || return 0
  for ((tries = 0; tries < 100; tries++)); do
    pids=$(find "${dirs[@]}" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u)
    [[ -n $pids ]] || return 0
    # shellcheck disable=SC2086
    kill -KILL $pids 2>/dev/null || true
    sleep 0.05
  done
  die "processes in the pods' cgroups do not end: ${pids//$'\n'/ }"
}

# containerd's shims, CNI plugins, and whatever a lost pid file hides. People's own shells, too, if
# they entered the namespace: it is about to vanish.
kill_namespace_members() {
  local tries pids
  for ((tries = 0; tries < 100; tries++)); do
    pids=$(ip netns pids "$NETNS" 2>/dev/null | grep -vx "$$" || true)
    [[ -n $pids ]] || return 0
    # shellcheck disable=SC2086
    kill -KILL $pids 2>/dev/null || true
    sleep 0.05
  done
  die "processes in the network namespace $NETNS do not end: ${pids//$'\n'/ }"
}

# containerd 1.6 puts its shims' sockets into a folder that no setting moves. Ours are those that a process
# in our network namespace listens on, and those that a task of ours names.
find_shim_sockets() {
  mapfile -t SHIM_SOCKETS < <({
    in_node cat /proc/net/unix 2>/dev/null | awk '{print $NF}'
    cat "$RUN"/containerd-state/io.containerd.runtime.v2.task/*/*/address 2>/dev/null | sed 's|unix://|\n|g'
  } | grep '^/run/containerd/s/' | sort -u)
}

remove_shim_sockets() { ((${#SHIM_SOCKETS[@]} == 0)) || rm -f "${SHIM_SOCKETS[@]}"; }

# Deepest first. The lazy way is for what a dying process still holds.
unmount_all() {
  local mount
  awk -v run="$RUN/" 'index($2, run) == 1 {print $2}' /proc/self/mounts | sort -r |
    while read -r mount; do
      umount "$mount" 2>/dev/null || umount -l "$mount" 2>/dev/null || true
    done
}

remove_pod_cgroups() {
  local dirs tries
  for ((tries = 0; tries < 40; tries++)); do
    mapfile -t dirs < <(pod_cgroups)
    ((${#dirs[@]})) || return 0
    find "${dirs[@]}" -depth -type d -exec rmdir {} + 2>/dev/null || true
    sleep 0.05
  done
  mapfile -t dirs < <(pod_cgroups)
  ((${#dirs[@]} == 0)) || die "these cgroups can't be removed: ${dirs[*]}"
}

# The CNI library remembers each pod's addresses in a folder that no setting moves. Ours name a network
# namespace below RUN.
remove_cni_cache() {
  [[ -d /var/lib/cni/results ]] || return 0
  { grep -rlsF "$RUN/" /var/lib/cni/results || true; } | xargs -r rm -f
}

# Folders that kubelet, containerd and CNI make at fixed places: ours to remove when nothing is in them.
remove_fixed_paths() {
  local link
  for link in /var/log/containers/*; do # kubelet's links into RUN
    if [[ -L $link && $(readlink "$link") == "$RUN"/* ]]; then rm -f "$link"; fi
  done
  rm -f /var/lib/kubelet/device-plugins/{kubelet.sock,DEPRECATION,kubelet_internal_checkpoint}
  rmdir --ignore-fail-on-non-empty -p /var/lib/cni/results /var/lib/kubelet/device-plugins \
    /var/log/containers /run/containerd/s /run/containerd/fifo 2>/dev/null || true
}

remove_run_dir() {
  [[ -d $RUN ]] || return 0
  [[ -e $MARK || -z $(ls -A "$RUN") ]] || die "$RUN has no mark of ours, so it is left alone"
  # The marks go last: a removal that was cut short must be able to go on.
  find "$RUN" -xdev -mindepth 1 -maxdepth 1 ! -path "$MARK" ! -path "$GOING_DOWN" -exec rm -rf --one-file-system {} +
  rm -rf --one-file-system "$RUN"
}
