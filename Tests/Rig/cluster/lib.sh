# Shared by the scripts of the cluster rig: where things are, background processes, the switch, keys. Source it.
#
# State lives under $RIG, which `clean.sh` empties; what takes long to build lives under $CACHE, keyed by content.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Several rigs can stand beside one another, each with a name of its own.
export RIG_NAME=${RIG_NAME:-rig}
export RIG=${RIG:-/tmp/tendril-$RIG_NAME}
# A version manager's python3 looks for the real one each time, for longer than that then takes.
if [[ -z ${RIG_PYTHON:-} ]]; then
  RIG_PYTHON=$(python3 -c 'import sys; print(sys.executable)')
  [[ $(type -P python3) -ef $RIG_PYTHON ]] || PATH=${RIG_PYTHON%/*}:$PATH
  export RIG_PYTHON PATH
fi
CACHE=${TENDRIL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tendril}

# key FILE...: a short name for what these files make
key() { cat "$@" | sha256sum | cut -c1-12; }
BUILT=$CACHE/kubernetes-$(key "$HERE/kubernetes.sh")
export KUBERNETES_BIN=${KUBERNETES_BIN:-$BUILT} ETCD_BIN=${ETCD_BIN:-/usr/bin}
# Which release these programs are. Before the first build there is none to ask, and Debian's is 1.20.2.
if [[ -z ${KUBERNETES_VERSION:-} ]]; then
  if [[ $KUBERNETES_BIN == "$BUILT" && ! -x $BUILT/kubelet ]]; then KUBERNETES_VERSION=1.20.2; else KUBERNETES_VERSION=$("$KUBERNETES_BIN/kubelet" --version | sed -E 's/^Kubernetes v([0-9.]+).*/\1/'); fi
  export KUBERNETES_VERSION
fi
MINOR=$(cut -d. -f2 <<<"$KUBERNETES_VERSION")
# since NUMBER: whether it is 1.NUMBER or later
since() { ((MINOR >= $1)); }
# What the same programs are called as the next patch: the rig has no other ones to update to.
NEXT_PATCH=${KUBERNETES_VERSION%.*}.$((${KUBERNETES_VERSION##*.} + 1))
# of_release FILE: a configuration, with these releases instead of those that it names
of_release() { sed "s/1\.20\.3/$NEXT_PATCH/; s/1\.20\.2/$KUBERNETES_VERSION/" "$1"; }
# also_next NAME...: a command by which the images of these names are known to containerd as those of the next patch, too
also_next() { local name; for name in "$@"; do printf 'ctr -n k8s.io images tag --force rig.invalid/%s:v%s rig.invalid/%s:v%s; ' "$name" "$KUBERNETES_VERSION" "$name" "$NEXT_PATCH"; done; }
# By which tag a control plane of this release asks for etcd (KubernetesTraits), whatever the program is.
if since 36; then ETCD_TAG=3.6.8-0; elif since 34; then ETCD_TAG=3.6.4-0; elif since 22; then ETCD_TAG=3.5.21-0; else ETCD_TAG=3.4.13-0; fi
ROOTFS=$CACHE/rootfs-$(key "$HERE/rootfs.sh")
IMAGES=$CACHE/images-$(key "$HERE/images.sh" "$HERE/../../../packaging/image.py" "$HERE/server.py" "$HERE/kubernetes.sh" \
  <(echo "$KUBERNETES_BIN $KUBERNETES_VERSION $ETCD_BIN $ETCD_TAG"))
mkdir -p "$RIG"/{run,log,pki,machines}

now() { date +%s.%N; }
took() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.1f", b - a }'; }
say() { printf '%s  %s\n' "$(date +%T)" "$*" | tee -a "$RIG/log/rig.log" >&2; }

# start NAME COMMAND...: in the background, pid and log kept. stop NAME: that pid only.
start() {
  local name=$1; shift
  setsid "$@" </dev/null >>"$RIG/log/$name.log" 2>&1 &
  echo $! >"$RIG/run/$name.pid"
}
stop() {
  local file=$RIG/run/$1.pid pid i
  [[ -e $file ]] || return 0
  pid=$(<"$file"); rm -f "$file"
  kill -TERM "$pid" 2>/dev/null || return 0
  for i in {1..100}; do kill -0 "$pid" 2>/dev/null || return 0; sleep 0.1; done
  kill -KILL "$pid" 2>/dev/null || true
}
# Where other work shares the machine, PATIENCE stretches all times. TIMEOUT is for what kubectl waits for.
export PATIENCE=${PATIENCE:-1}
TIMEOUT=--timeout=$((60 * PATIENCE))s
# until_ok SECONDS COMMAND...: repeat until it succeeds. Who waits takes a quarter of the time at most, and asks more seldom the longer
# it takes: each kubectl takes a tenth of a second of a processor from what is waited for, and more where many want one.
until_ok() {
  local begin=${EPOCHREALTIME/./} end=$((SECONDS + $1 * PATIENCE)) t pause; shift
  while t=${EPOCHREALTIME/./}; ! "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || { say "timed out: $*"; return 1; }
    t=$((3 * (${EPOCHREALTIME/./} - t))) pause=$(((${EPOCHREALTIME/./} - begin) / 20))
    ((pause > t)) || pause=$t
    ((pause > 200000)) || pause=200000
    ((pause < 3000000)) || pause=3000000
    sleep "$((pause / 1000000)).$(printf %06d $((pause % 1000000)))"
  done
}

# One switch namespace, everything else hangs off it: nothing appears in the host's own network.
NET=10.250.0 NET6=fd25:0 SERVICES=10.96 CONTROL_PLANE=10.250.0.1
switch_up() {
  [[ -e /run/netns/$RIG_NAME-sw ]] && return
  ip netns add "$RIG_NAME-sw"
  ip -n "$RIG_NAME-sw" link set lo up
  ip -n "$RIG_NAME-sw" link add br0 type bridge
  ip -n "$RIG_NAME-sw" addr add $NET.254/24 dev br0
  ip -n "$RIG_NAME-sw" addr add $NET6::fe/64 dev br0 nodad
  ip -n "$RIG_NAME-sw" link set br0 up
  # Everything else is answered with "unreachable": kubelet's AWS provider asks for metadata and would wait for seconds.
  ip netns exec "$RIG_NAME-sw" sysctl -qw net.ipv4.ip_forward=1
  ip -n "$RIG_NAME-sw" route add unreachable default
}
# port NAME NUMBER: namespace RIG_NAME-NAME whose eth0 on the switch has address NUMBER, in both families
port() {
  [[ -e /run/netns/$RIG_NAME-$1 ]] && return
  ip netns add "$RIG_NAME-$1"
  ip link add "v-$1" netns "$RIG_NAME-sw" type veth peer name eth0 netns "$RIG_NAME-$1"
  ip -n "$RIG_NAME-sw" link set "v-$1" master br0 up
  ip -n "$RIG_NAME-$1" link set lo up
  ip -n "$RIG_NAME-$1" addr add "$NET.$2/24" dev eth0
  ip -n "$RIG_NAME-$1" addr add "$NET6::$2/64" dev eth0 nodad
  ip -n "$RIG_NAME-$1" link set eth0 up
  ip -n "$RIG_NAME-$1" route add default via $NET.254
}
unport() { [[ ! -e /run/netns/$RIG_NAME-$1 ]] || ip netns del "$RIG_NAME-$1"; }
in_ns() { local ns=$1; shift; ip netns exec "$RIG_NAME-$ns" "$@"; }

PKI=$RIG/pki
KUBECTL=$(PATH=$KUBERNETES_BIN:$PATH type -P kubectl || true)
# kubectl_at NAMESPACE KUBECONFIG ARGUMENT...; what mostly lives for a tenth of a second need hardly tidy up after itself (GOGC). What it
# knows of an address is the rig's own: another release may have been there an hour ago.
kubectl_at() { GOGC=400 in_ns "$1" "$KUBECTL" --cache-dir="$RIG/kubectl" --kubeconfig "${@:2}"; }
kubectl() { kubectl_at cp "$PKI/admin.kubeconfig" "$@"; }
