# shellcheck shell=bash
# Debian's packages, and the Go and C compilers.

# One line each: a file that the package brings, and the package. Looking at files is ten times
# faster than asking dpkg, and also right where the same thing came another way.
DEBIAN_PACKAGES="
/usr/bin/containerd         containerd
/usr/sbin/runc              runc
/usr/bin/crun               crun
/usr/lib/cni/bridge         containernetworking-plugins
/usr/sbin/iptables          iptables
/usr/sbin/conntrack         conntrack
/usr/sbin/ipset             ipset
/usr/bin/docker-registry    docker-registry
/usr/bin/skopeo             skopeo
/usr/bin/ip                 iproute2
/usr/bin/nsenter            util-linux
/usr/bin/openssl            openssl
/usr/bin/curl               curl
/usr/bin/jq                 jq
/usr/bin/ps                 procps
/usr/bin/gcc                gcc
/usr/include/stdio.h        libc6-dev
/etc/ssl/certs/ca-certificates.crt ca-certificates
"

install_packages() {
  local missing=() path package
  while read -r path package; do
    [[ -z $path || -e $path ]] || missing+=("$package")
  done <<<"$DEBIAN_PACKAGES"
  if ((${#missing[@]} == 0)); then
    step packages "nothing is missing"
    return
  fi
  step packages "installing ${missing[*]}"
  run_apt "${missing[@]}"
  step packages "installed"
}

# RUNLEVEL=1 keeps the packages' own services from being started: we start what we need.
run_apt() {
  local log
  log=$RUN/logs/packages.log
  export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
  dpkg --configure -a >"$log" 2>&1 </dev/null || true # a run killed half-way may have left some unconfigured
  if ! apt-cache show "$@" >>"$log" 2>&1; then refresh_apt "$log"; fi
  if apt-get install -y --no-install-recommends "$@" >>"$log" 2>&1 </dev/null; then return; fi
  refresh_apt "$log" # the lists were there but too old
  apt-get install -y --no-install-recommends "$@" >>"$log" 2>&1 </dev/null ||
    die_with_log packages "$log" "apt-get could not install $*"
}

refresh_apt() {
  apt-get update >>"$1" 2>&1 </dev/null || die_with_log packages "$1" "apt-get update failed"
}
