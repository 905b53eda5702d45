# shellcheck shell=bash
# Builds what Debian does not ship, once, into CACHE/parts/NAME-KEY; KEY is a digest of the sources
# and of the flags, so an edited go.mod builds anew and a second checkout finds what the first built.

KUBERNETES_VERSION=v1.34.4
GO_FLAGS=(-trimpath -buildvcs=false -mod=readonly)
VERSION_PACKAGE=k8s.io/component-base/version
KUBERNETES_LDFLAGS="-s -w -X $VERSION_PACKAGE.gitVersion=$KUBERNETES_VERSION -X $VERSION_PACKAGE.gitMajor=1 -X $VERSION_PACKAGE.gitMinor=34"

# part_dir NAME [FILE]: FILE is a tool whose change makes another result, too.
part_dir() {
  local name=$1 key
  shift
  key=$({
    echo "$KUBERNETES_LDFLAGS ${GO_FLAGS[*]}"
    declare -f go_build "build_${name//-/_}"
    cat "$HERE/parts/$name"/* "$@"
  } | sha256sum | cut -c1-12)
  echo "$CACHE/parts/$name-$key"
}

bin_dirs() { echo "$KUBERNETES_BIN:$ETCD_BIN"; }

# shellcheck disable=SC2034 # other files use them
# find_parts: names the folders of the built parts, whether they are there yet or not.
find_parts() {
  KUBERNETES_BIN=$(part_dir kubernetes)
  ETCD_BIN=$(part_dir etcd)
  COREDNS_DIR=$(part_dir coredns "$HERE/image")
  PAUSE_DIR=$(part_dir pause "$HERE/image")
  CRUN_DIR=$(part_dir crun)
  METRICS_BIN=$(part_dir metrics-server)
  KUBECTL=$KUBERNETES_BIN/kubectl
}

build_parts() {
  find_parts
  build_part pause "$PAUSE_DIR" build_pause "a second"
  build_part crun "$CRUN_DIR" build_crun "a second"
  build_part etcd "$ETCD_BIN" build_etcd "half a minute"
  build_part coredns "$COREDNS_DIR" build_coredns "one to two minutes"
  build_part kubernetes "$KUBERNETES_BIN" build_kubernetes "four to seven minutes on two cores"
}

# build_part NAME DIR FUNCTION DURATION: FUNCTION fills a scratch folder, which becomes DIR in one step.
build_part() {
  local name=$1 dir=$2 build=$3 duration=$4 log=$RUN/logs/build-$1.log
  [[ -d $dir ]] && return
  step "build $name" "once, takes $duration (log: $log)"
  rm -rf "$dir.partial"
  mkdir -p "$dir.partial/tmp"
  # A killed compiler leaves its scratch files; here the next run finds them.
  if ! (cd "$HERE/parts/$name" && GOTMPDIR=$dir.partial/tmp "$build" "$dir.partial") >"$log" 2>&1 </dev/null; then
    rm -rf "$dir.partial"
    die_with_log "build $name" "$log" "the build failed"
  fi
  rm -rf "$dir.partial/tmp"
  mv "$dir.partial" "$dir"
  step "build $name" "done: $dir"
}

# GOTOOLCHAIN=local: the compiler that is installed, or a clear error; never a download of another.
go_build() {
  command -v go >/dev/null || { echo "there is no Go compiler on the PATH; 1.25 or newer is needed" && return 1; }
  GOTOOLCHAIN=local GOWORK=off GOFLAGS='' CGO_ENABLED=0 go build "${GO_FLAGS[@]}" "$@"
}

build_metrics_server() {
  go_build -ldflags "-s -w" -o "$1/metrics-server" sigs.k8s.io/metrics-server/cmd/metrics-server
}

build_kubernetes() { go_build -ldflags "$KUBERNETES_LDFLAGS" -o "$1/" tool; }
build_etcd() { go_build -ldflags "-s -w" -o "$1/etcd" go.etcd.io/etcd/server/v3; }

# CoreDNS and pause run in pods, so they are kept as image archives, ready to be imported.
build_coredns() {
  go_build -ldflags "-s -w" -o "$1/coredns" . &&
    "$HERE/image" --archive "$1/image.tar" --user 0:0 localhost/coredns:1 "$1/coredns"
}

build_pause() {
  gcc -static -Os -s -o "$1/pause" pause.c &&
    "$HERE/image" --archive "$1/image.tar" localhost/pause:1 "$1/pause"
}

build_crun() { gcc -static -Os -s -o "$1/crun" crun.c; }
