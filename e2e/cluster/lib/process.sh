# shellcheck shell=bash
# Long-running parts: each has a pid file that says PID, START and COMMAND, and a log.
#
# START is the process's start time from /proc: a pid that was handed to another process since is
# never taken for the part, let alone killed. COMMAND is a digest of the command line and of the
# files it was given, so that `up` restarts a part whose flags or binary changed.

part_pidfile() { echo "$RUN/pids/$1"; }
part_log() { echo "$RUN/logs/$1.log"; }

is_process_part() { [[ " ${PARTS[*]} " == *" $1 "* ]]; }

# start_time PID: field 22 of /proc/PID/stat; empty when there's no such process, or only its zombie.
start_time() {
  local stat fields
  { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 0
  read -ra fields <<<"${stat##*) }" # the name before it may hold blanks and brackets
  [[ ${fields[0]} == [ZX] ]] || echo "${fields[19]}"
}

# part_pid PART: prints the pid if the part runs.
part_pid() {
  local pid start
  read -r pid start _ 2>/dev/null <"$(part_pidfile "$1")" || return 1
  [[ $pid =~ ^[0-9]+$ && -n $start && $(start_time "$pid") == "$start" ]] || return 1
  echo "$pid"
}

part_alive() { part_pid "$1" >/dev/null; }

part_since() { ps -o lstart= -p "$1" | awk '{print $4}'; }

# start_part PART FILE... -- COMMAND...: starts COMMAND in the node's network, unless it runs already.
# FILEs are what COMMAND reads at its start.
start_part() {
  local part=$1 files=() digest old
  shift
  while [[ $1 != -- ]]; do
    files+=("$1")
    shift
  done
  shift
  digest=$({ echo "$*"; cat /dev/null "${files[@]}"; } | sha256sum | cut -c1-16)
  if part_alive "$part"; then
    read -r _ _ old <"$(part_pidfile "$part")"
    [[ $old == "$digest" ]] && return
    step "$part" "its settings changed, stopping the old one"
    stop_part "$part"
  elif [[ -e $(part_pidfile "$part") ]]; then
    step "$part" "was dead, starting it again (its log: $(part_log "$part").before)"
  fi
  if [[ -e $(part_log "$part") ]]; then mv "$(part_log "$part")" "$(part_log "$part").before"; fi
  # The new process writes its own pid file before it becomes the part: however `up` ends, no part
  # runs that has none. It inherits neither the lock (9) nor the caller's environment, and setsid
  # takes it out of the caller's session.
  # shellcheck disable=SC2016
  setsid env -i PATH="$(bin_dirs):/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" HOME=/root \
    bash -c '
      set -e
      stat=$(<"/proc/$$/stat")
      read -ra fields <<<"${stat##*) }"
      echo "$$ ${fields[19]} $2" >"$1.partial"
      mv "$1.partial" "$1"
      netns=$3
      shift 3
      exec nsenter --net="$netns" "$@"
    ' start "$(part_pidfile "$part")" "$digest" "/run/netns/$NETNS" "$@" \
    </dev/null >"$(part_log "$part")" 2>&1 9>&- &
  wait_for_pidfile "$part" "$digest"
}

wait_for_pidfile() {
  local part=$1 digest=$2 written tries
  for ((tries = 0; tries < 250; tries++)); do
    if part_alive "$part"; then
      read -r _ _ written <"$(part_pidfile "$part")"
      [[ $written != "$digest" ]] || return 0
    fi
    sleep 0.02
  done
  die_with_log "$part" "$(part_log "$part")" "did not start"
}

# stop_part PART [SIGNAL]: asks, waits two seconds, then kills.
stop_part() {
  local part=$1 signal=${2:-TERM} pid tries
  if pid=$(part_pid "$part"); then
    kill "-$signal" "$pid" 2>/dev/null || true
    for ((tries = 0; tries < 40; tries++)); do
      part_alive "$part" || break
      sleep 0.05
    done
    if part_alive "$part"; then kill -KILL "$pid" 2>/dev/null || true; fi
    wait_for_end "$pid"
  fi
  rm -f "$(part_pidfile "$part")"
}

wait_for_end() {
  local pid=$1 tries
  for ((tries = 0; tries < 100; tries++)); do
    [[ -n $(start_time "$pid") ]] || return 0
    sleep 0.05
  done
  die "process $pid does not end, even by SIGKILL"
}
