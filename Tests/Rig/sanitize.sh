#!/usr/bin/env bash
# Runs both daemons, built with a sanitizer, through load, strangers, a reload and an end. Usage: sanitize.sh PROGRAM TOOLS
set -euo pipefail
cd "$(dirname "$0")/../.."
program=$1 tools=$2
TOPOLOGY=tendril-san$$
source Tests/Rig/topology.sh
keep_tidy
export ASAN_OPTIONS=detect_leaks=0


topology_up
"$program" certificates --cluster test --out "$work/pki" >/dev/null
common=(--network 10.2.0.0/24 --ca "$work/pki/ca.crt" --gate-key "$work/pki/gate.key")
start server seed "$program" server --listen 192.0.2.1:8132 --certificate "$work/pki/server.crt" \
  --key "$work/pki/server.key" --address 10.98.0.1/24 --metrics 127.0.0.1:8133 --socket "$work/server.sock" "${common[@]}"
start client shoot "$program" client --server 192.0.2.1:8132 --certificate "$work/pki/client.crt" \
  --key "$work/pki/client.key" --address 10.98.0.2/24 --remote-network 10.1.0.0/24 --socket "$work/client.sock" "${common[@]}"
start iperf pod-c iperf3 -s
until_ok 20 "$program" status --socket "$work/server.sock"
in_ns pod-s iperf3 -c 10.2.0.10 -t 3 -P 4 >/dev/null
in_ns shoot "$tools" flood --connect 192.0.2.1:8132 --rate 1000 --seconds 1 >/dev/null
"$program" certificates --cluster test --out "$work/new" >/dev/null
cat "$work/new/ca.crt" >>"$work/pki/ca.crt"
sleep 3
cp "$work"/new/{server,client}.* "$work/pki/"
sleep 4
in_ns pod-s ping -c 2 -i 0.3 10.2.0.10 >/dev/null
kill "${pids[0]}"
wait "${pids[0]}" || true
if grep -hE -A 40 "WARNING: ThreadSanitizer|ERROR: AddressSanitizer" "$work"/*.log; then
  echo "error: $program has findings" >&2
  exit 1
fi
echo "$program: no findings"
