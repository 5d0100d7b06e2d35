#!/usr/bin/env bash
# fleet.sh: one coordinator and a thousand shoots. Garden and seed are a real kube-apiserver with etcd; control planes are
# simulated (fleet.py). Prints the table of docs/performance.md.
. "$(dirname "$0")/../Rig/cluster/lib.sh"
: "${TENDRIL_COORDINATOR:?name the program; make bench-fleet does}"
FLEET=$HERE/../../Benchmarks/fleet.py SERVER=https://$CONTROL_PLANE:6443 MANY=${MANY:-1000}
PROGRAM=$(realpath "$TENDRIL_COORDINATOR")
"$HERE/clean.sh"; mkdir -p "$RIG"/{run,log,pki,machines}; trap '"$HERE/clean.sh"' EXIT
fleet() { in_ns cp python3 "$FLEET" "$1" "$PKI" "$SERVER" "${@:2}"; }
metric() { in_ns cp curl -s "http://127.0.0.1:8133/metrics" | awk -v name="$1" 'index($0, name) == 1 { print $2 }'; }
# shoots FIRST LAST: as many wishes at once
shoots() {
  local i
  for ((i = $1; i <= $2; i++)); do
    printf -- '---\napiVersion: tendril.dev/v1alpha1\nkind: Shoot\nmetadata: {name: s%d, namespace: fleet}\nspec: {kubernetes: {version: %s}, provider: {type: local}, workers: [{name: worker}]}\n' "$i" "$KUBERNETES_VERSION"
  done >"$RIG/shoots.yaml"
  kubectl create -f "$RIG/shoots.yaml" >/dev/null
}
active() { (($(metric 'tendril_coordinator_shoot_conditions{condition="EveryNodeReady",status="True"}') >= $1)); }
coordinator() { # CPUS
  start coordinator ip netns exec "$RIG_NAME-cp" taskset -c "$1" "$PROGRAM" run --config "$RIG/coordinator.yaml"
}
memory() { # FIELD: VmRSS, or VmHWM for the most there ever was
  awk -v field="${1:-VmRSS}:" '$1 == field { printf "%.1f", $2 / 1024 }' "/proc/$(<"$RIG/run/coordinator.pid")/status"
}
cpu() { awk '{ print $14 + $15 }' "/proc/$(<"$RIG/run/coordinator.pid")/stat"; }
requests() { kubectl get --raw /metrics | awk '/^apiserver_request_total/ { sum += $2 } END { printf "%d", sum }'; }
# idle SECONDS: how many requests the API server gets in that time
idle() { local before; before=$(requests); sleep "$1"; echo $(($(requests) - before)); }

{
  "$HERE/prepare.sh"; "$HERE/control-plane.sh" up
  # Nobody makes pods of what is only said to run.
  stop kcm; stop scheduler
  "$TENDRIL_COORDINATOR" definitions | kubectl apply -f - >/dev/null
  until_ok 20 kubectl get seeds,shoots -A
  kubectl create namespace tendril-system; kubectl create namespace fleet
  kubectl apply -f - <<YAML
apiVersion: tendril.dev/v1alpha1
kind: Seed
metadata: {name: here}
spec:
  capacity: 2000
  networks: {pods: 10.245.0.0/16, services: 10.97.0.0/16, nodes: $NET.0/24}
  exposure: {type: NodePort, address: $CONTROL_PLANE}
YAML
  cat >"$RIG/coordinator.yaml" <<YAML
apiVersion: coordinator.tendril.dev/v1alpha1
kind: CoordinatorConfiguration
seed: here
seedKubeconfig: $PKI/admin.kubeconfig
images: {kubernetes: rig.invalid, tendril: rig.invalid, missing: [metrics-server, dashboard]}
machineImages: [{name: default, program: {baked: true}, kubernetes: [$KUBERNETES_VERSION]}]
metrics: 127.0.0.1:8133
YAML
  # The cluster IPs of all Services are this machine's: the simulation listens there.
  in_ns cp ip route add local $SERVICES.0.0/16 dev lo
  start simulate ip netns exec "$RIG_NAME-cp" python3 "$FLEET" simulate "$PKI" "$SERVER"
  quiet=$(idle 60)
  coordinator 0,1; until_ok 20 metric tendril_coordinator_shoots

  t=$(now); shoots 1 100; until_ok 300 active 100; hundred=$(took "$t"); say "100 shoots after ${hundred}s"
  read -r calm_half calm < <(fleet latency 99 2,1,2,1)
  read -r noisy_half noisy < <(fleet latency 99 2,1,2,1 s100); say "a change: $calm_half $calm s, beside a noisy shoot $noisy_half $noisy s"
  kill -USR2 "$(<"$RIG/run/simulate.pid")"; fleet ask 2 s{71..100}
  read -r hanging_half hanging < <(fleet latency 70 2,1,2,1); say "beside thirty API servers that hang $hanging_half $hanging s"
  kill -USR2 "$(<"$RIG/run/simulate.pid")"; until_ok 300 active 100
  t=$(now); shoots 101 "$MANY"; until_ok 1800 active "$MANY"; thousand=$(took "$t"); say "$MANY shoots after ${thousand}s more"
  sleep 90; kill -USR1 "$(<"$RIG/run/simulate.pid")"; ticks=$(cpu)
  busy=$(idle 120); kill -USR1 "$(<"$RIG/run/simulate.pid")"; ticks=$(($(cpu) - ticks)); sleep 1
  own=$(tail -n 2 "$RIG/log/simulate.log" | awk 'NR == 1 { a = $1 } END { print $1 - a }'); rss=$(memory)
  stop coordinator; t=$(now); coordinator 0; until_ok 300 active "$MANY"; resync=$(took "$t"); spent=$(cpu); sleep 15; restarted=$(memory) most=$(memory VmHWM)
} >&2
per() { awk -v n="$1" -v m="$MANY" 'BEGIN { printf "%.2f", n / m / 2 }'; }
cat <<TABLE
One coordinator, two processors shared with kube-apiserver, etcd and the simulation.

| measure | goal | reached |
|---|---|---|
| 100 shoots created at once, until all are active | <= 60 s | $hundred s |
| $((MANY - 100)) more at once | | $thousand s |
| a change of a shoot beside 99 others: p50, p99 | | $calm_half s, $calm s |
| the same while one shoot wants something else 20 times a second | p99 within 20 % | $noisy_half s, $noisy s |
| the same while the API servers of thirty shoots hang, which are to be changed too | p99 within 20 % | $hanging_half s, $hanging s |
| a coordinator that starts anew with $MANY shoots, on one processor, until all are looked at | <= 30 s | $resync s, $(awk -v t="$spent" 'BEGIN { print t / 100 }') s of CPU |
| requests to garden and seed per idle shoot and minute | <= 1 | $(per $((busy - quiet * 2))) |
| requests to the shoot's own API server, the same | | $(per "$own") |
| CPU while $MANY shoots are idle | | $(awk -v t="$ticks" 'BEGIN { printf "%.1f", t / 120 }') % of one processor |
| resident memory with $MANY shoots; after it started anew, and the most meanwhile | <= 128 MiB | $rss MiB; $restarted MiB, $most MiB |
TABLE
