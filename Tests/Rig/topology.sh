# Four network namespaces in a row, for the demo and the bench. Source it; nothing appears in the host's own network.
#
#   pod-s ──10.1.0.0/24── seed ──192.0.2.0/24 ("Internet")── shoot ──10.2.0.0/24── pod-c
#
# Tunnel addresses: seed 10.98.0.1, shoot 10.98.0.2. IPv6: fd01::/64, fd02::/64, fd98::/64 alike.
set -euo pipefail

TOPOLOGY=${TOPOLOGY:-tendril$$}

ns() { printf '%s-%s' "$TOPOLOGY" "$1"; }
in_ns() { local name; name=$(ns "$1"); shift; ip netns exec "$name" "$@"; }

# pair A ADDRESS_A B ADDRESS_B LINK [ADDRESS6_A ADDRESS6_B]: a veth pair between two namespaces
pair() {
  ip link add "$5" netns "$(ns "$1")" type veth peer name "$5" netns "$(ns "$3")"
  ip -n "$(ns "$1")" addr add "$2" dev "$5"
  ip -n "$(ns "$3")" addr add "$4" dev "$5"
  if [[ -n ${6:-} ]]; then
    ip -n "$(ns "$1")" addr add "$6" dev "$5" nodad
    ip -n "$(ns "$3")" addr add "$7" dev "$5" nodad
  fi
  ip -n "$(ns "$1")" link set "$5" up
  ip -n "$(ns "$3")" link set "$5" up
}

topology_up() {
  local name
  for name in pod-s seed shoot pod-c; do
    ip netns add "$(ns "$name")"
    ip -n "$(ns "$name")" link set lo up
    in_ns "$name" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
  done
  pair seed 192.0.2.1/24 shoot 192.0.2.2/24 wan
  pair pod-s 10.1.0.10/24 seed 10.1.0.1/24 inner fd01::10/64 fd01::1/64
  pair shoot 10.2.0.1/24 pod-c 10.2.0.10/24 inside fd02::1/64 fd02::10/64
  ip -n "$(ns pod-s)" route add default via 10.1.0.1
  ip -n "$(ns pod-s)" route add default via fd01::1
  ip -n "$(ns pod-c)" route add default via 10.2.0.1
  ip -n "$(ns pod-c)" route add default via fd02::1
}

topology_down() {
  local name
  for name in pod-s seed shoot pod-c; do
    if [[ -e /run/netns/$(ns "$name") ]]; then ip netns del "$(ns "$name")"; fi
  done
}

# until_ok SECONDS COMMAND...: repeat until it succeeds.
until_ok() {
  local end=$((SECONDS + $1)); shift
  until "$@" >/dev/null 2>&1; do ((SECONDS < end)) || { echo "timed out: $*" >&2; return 1; }; sleep 0.05; done
}

# keep_tidy: makes the directory $work for logs and keys; at the end of the script it goes away, with everything that
# `start` started and the namespaces.
keep_tidy() {
  work=$(mktemp -d)
  pids=()
  trap clean EXIT
}

clean() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  topology_down
  rm -rf "$work"
}

# start NAME NAMESPACE COMMAND...: in the background, logged to $work/NAME.log
start() {
  local name=$1 space; space=$(ns "$2"); shift 2
  ip netns exec "$space" "$@" >"$work/$name.log" 2>&1 &
  pids+=($!)
}
