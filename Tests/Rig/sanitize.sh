#!/usr/bin/env bash
# Runs both daemons, built with a sanitizer, through load, streams, lost lanes, strangers, a reload and an end, while the server
# follows Nodes. Usage: sanitize.sh PROGRAM TOOLS
set -euo pipefail
cd "$(dirname "$0")/../.."
program=$1 tools=$2
TOPOLOGY=tendril-san$$
source Tests/Rig/topology.sh
keep_tidy
export ASAN_OPTIONS=detect_leaks=0

# status FIELD: what the server says of itself
status() { "$program" status --socket "$work/server.sock" --output json | python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
knows() { (($(status nodes) >= $1)); }
# lanes_lost: resets all lanes, as a middlebox would
lanes_lost() { in_ns shoot ss -K state established dport = 8132 &>/dev/null; }

topology_up
"$program" certificates --cluster test --out "$work/pki" >/dev/null
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=nodes -addext subjectAltName=IP:10.1.0.10 \
  -keyout "$work/nodes.key" -out "$work/nodes.crt" 2>/dev/null
cat >"$work/nodes.kubeconfig" <<YAML
apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://10.1.0.10:6443", certificate-authority: $work/nodes.crt}}]
users: [{name: u, user: {token: t}}]
YAML
common=(--ca "$work/pki/ca.crt" --gate-key "$work/pki/gate.key")
start server seed "$program" server --listen 192.0.2.1:8132 --certificate "$work/pki/server.crt" \
  --key "$work/pki/server.key" --address 10.98.0.1/24 --metrics 127.0.0.1:8133 --socket "$work/server.sock" "${common[@]}" \
  --network 10.2.0.0/16 --network 10.3.0.0/16 --nodes-kubeconfig "$work/nodes.kubeconfig" --egress-socket "$work/egress.sock"
start client shoot "$program" client --server 192.0.2.1:8132 --certificate "$work/pki/client.crt" \
  --key "$work/pki/client.key" --address 10.98.0.2/24 --network 10.2.0.0/24 --remote-network 10.1.0.0/24 --socket "$work/client.sock" "${common[@]}"
start nodes pod-s Tests/Rig/nodes.py 10.1.0.10 6443 "$work/nodes.crt" "$work/nodes.key"
start iperf pod-c iperf3 -s
start bulk pod-c "$tools" bulk-server --listen 10.2.0.10:9000
start logs pod-c Tests/Rig/log-stream.py serve 10.2.0.10 9001
until_ok 20 "$program" status --socket "$work/server.sock"
until_ok 20 knows 1
until_ok 20 in_ns pod-s ping -c 1 -W 1 10.2.0.10
start follower seed Tests/Rig/log-stream.py follow "$work/egress.sock" 10.2.0.10:9001 10
follower=${pids[-1]}
in_ns pod-s iperf3 -c 10.2.0.10 -t 3 -P 4 >/dev/null
for direction in "" --up; do
  in_ns seed "$tools" bulk --connect 10.2.0.10:9000 --through "$work/egress.sock" --streams 4 --seconds 2 $direction >/dev/null &
  moving=$!
  sleep 1
  lanes_lost
  wait $moving
done
wait "$follower" || { cat "$work/follower.log" >&2; exit 1; }
until_ok 20 knows 8
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
