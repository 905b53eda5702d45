# shellcheck shell=bash
# What a person sees: one line a step with the seconds since the start, and errors that name their log.

start_clock() { CLOCK_START=${EPOCHREALTIME/./}; }

# step NAME TEXT: prints what has just been done, or is about to take long.
step() {
  local passed=$((${EPOCHREALTIME/./} - CLOCK_START))
  printf '%5d.%d s  %-24s %s\n' $((passed / 1000000)) $((passed % 1000000 / 100000)) "$1" "$2" >&2
}

die() {
  printf 'cluster: %s\n' "$*" >&2
  exit 1
}

# die_with_log PART LOG TEXT: the last lines of the log are what a person would ask for next.
die_with_log() {
  local part=$1 log=$2
  {
    printf '\ncluster: %s: %s\n' "$part" "$3"
    if [[ -s $log ]]; then
      printf 'The last lines of %s:\n' "$log"
      tail -n 20 "$log" | cut -c1-400 | sed 's/^/  | /'
    else
      printf 'Its log %s is empty.\n' "$log"
    fi
  } >&2
  exit 1
}

# wait_until PART SECONDS COMMAND...: polls until COMMAND succeeds. Gives up early when PART's process dies.
wait_until() {
  local part=$1 seconds=$2 deadline
  shift 2
  deadline=$((SECONDS + seconds))
  until "$@" >/dev/null 2>&1; do
    if is_process_part "$part" && ! part_alive "$part"; then
      die_with_log "$part" "$(part_log "$part")" "its process ended while starting"
    fi
    if ((SECONDS >= deadline)); then
      die_with_log "$part" "$(part_log "$part")" "not ready after $seconds s (waited for: $*)"
    fi
    sleep 0.1
  done
}

# write_file PATH: standard input, all or nothing, so that a killed run leaves no half-written file.
write_file() {
  mkdir -p "$(dirname "$1")"
  cat >"$1.partial"
  mv "$1.partial" "$1"
}
