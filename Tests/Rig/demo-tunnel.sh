#!/usr/bin/env bash
# Two networks, a tunnel between them, a ping and an iperf3 run through it, and the daemons' own status.
# It stays up until Ctrl-C; DEMO_ONCE=1 ends it after the tour.
set -euo pipefail
cd "$(dirname "$0")/../.."
program=${TENDRIL_VPN:?names the program to show; make demo-tunnel does}

if ((EUID != 0)); then
  echo "error: the demo makes network namespaces, which needs root" >&2
  exit 1
fi

TOPOLOGY=tendril-demo$$
source Tests/Rig/topology.sh
keep_tidy

trap 'exit 0' INT TERM

# Bold on a terminal, plain elsewhere.
say() { if [[ -t 1 ]]; then printf '\n\033[1m%s\033[0m\n' "$*"; else printf '\n%s\n' "$*"; fi; }

say "1. Four network namespaces in a row"
cat <<'PICTURE'
   pod-s ──10.1.0.0/24── seed ══ "Internet" ══ shoot ──10.2.0.0/24── pod-c
 10.1.0.10          tendril-vpn server    tendril-vpn client      10.2.0.10
PICTURE
topology_up

say "2. Certificates and a gate key for the cluster \"demo\""
"$program" certificates --cluster demo --out "$work/pki"

say "3. Both daemons"
common=(--network 10.2.0.0/24 --network fd02::/64 --ca "$work/pki/ca.crt" --gate-key "$work/pki/gate.key")
start server seed "$program" server --listen 192.0.2.1:8132 --certificate "$work/pki/server.crt" \
  --key "$work/pki/server.key" --address 10.98.0.1/24 --address fd98::1/64 --metrics 127.0.0.1:8133 \
  --socket "$work/server.sock" "${common[@]}"
start client shoot "$program" client --server 192.0.2.1:8132 --certificate "$work/pki/client.crt" \
  --key "$work/pki/client.key" --address 10.98.0.2/24 --address fd98::2/64 --remote-network 10.1.0.0/24 \
  --remote-network fd01::/64 --socket "$work/client.sock" "${common[@]}"
until_ok 10 "$program" status --socket "$work/server.sock" || { cat "$work"/*.log; exit 1; }
cat "$work/server.log" "$work/client.log"

say "4. A ping from behind the seed to behind the shoot"
in_ns pod-s ping -c 3 -i 0.2 10.2.0.10

say "5. The other way round nothing gets in"
if in_ns pod-c ping -c 1 -W 1 10.1.0.10 >/dev/null; then
  echo "error: the shoot reached into the seed" >&2
  exit 1
fi
echo "no answer, as it should be"

say "6. iperf3 through the tunnel"
start iperf3 pod-c iperf3 -s
sleep 0.5
in_ns pod-s iperf3 -c 10.2.0.10 -t 3 -P 4 | tail -n 4

say "7. What the server says of itself"
"$program" status --socket "$work/server.sock"

if [[ -n ${DEMO_ONCE:-} ]]; then
  say "Done."
  exit 0
fi
say "The tunnel stays up until Ctrl-C. Try, in another terminal:"
echo "  ip netns exec $(ns pod-s) ping 10.2.0.10"
echo "  $program status --socket $work/server.sock"
wait -n "${pids[@]}"
