#!/usr/bin/env bash
# shoot.sh: how long shoots take from their creation to a Ready node, and what the coordinator itself adds. Prints the table of
# docs/performance.md.
. "$(dirname "$0")/../Rig/cluster/lib.sh"
: "${TENDRIL:?}" "${TENDRIL_AGENT:?}" "${TENDRIL_COORDINATOR:?}" "${TENDRIL_VPN:?name the programs; make bench-shoot does}"
. "$HERE/seed.sh"
ROUNDS=${ROUNDS:-3}
"$HERE/clean.sh"; mkdir -p "$RIG"/{run,log,pki,machines}; trap '"$HERE/clean.sh"' EXIT
{ "$HERE/prepare.sh"; worker_files; up; coordinator_up; start machines "$HERE/seed.sh" machines; k create namespace bench; } >&2
state() { k -n bench get shoot "$1" -o jsonpath='{.status.lastOperation.type}{.status.lastOperation.state}'; }
tasks() { k -n tendril-system logs deployment/tendril-coordinator | sed -nE "s/.*milliseconds=([0-9]+) shoot=bench\/$1 task=(.*)/\2 \1/p"; }
total=() own=() asleep=()
for ((i = 1; i <= ROUNDS; i++)); do
  name=r$i; t=$(now)
  k apply -f - >/dev/null <<YAML
apiVersion: tendril.dev/v1alpha1
kind: Shoot
metadata: {name: $name, namespace: bench, annotations: {confirmation.tendril.dev/deletion: "true"}}
spec: {kubernetes: {version: $KUBERNETES_VERSION}, provider: {type: local}, workers: [{name: worker}]}
YAML
  until_ok 300 eval "[[ \$(state $name) == CreateSucceeded ]]"; total+=("$(took "$t")")
  # What waits for nobody but the API servers that are written to.
  own+=("$(tasks $name | awk '$1 ~ /^(namespace|pull-secrets|services|authorities|certificates|infrastructure|access|system|node-configurations|addons)$/ { sum += $2 } END { print sum / 1000 }')")
  t=$(now); k -n bench patch shoot $name --type=merge -p '{"spec":{"hibernation":{"enabled":true}}}' >/dev/null
  until_ok 120 eval "[[ \$(state $name) == HibernateSucceeded ]]"; asleep+=("$(took "$t")")
  k -n bench delete shoot $name --timeout=120s >/dev/null
done
pid=$("$HERE/machine.sh" sh seed pgrep -f 'tendril-coordinator run' | head -1)
memory=$("$HERE/machine.sh" sh seed awk '/^VmRSS/ { printf "%.1f", $2 / 1024 }' "/proc/$pid/status")
median() { printf '%s\n' "$@" | sort -n | sed -n "$(((($# + 1)) / 2))p"; }
cat <<TABLE
Seed, control plane and worker on one machine; medians of $ROUNDS shoots.

| measure | goal | reached |
|---|---|---|
| Shoot created to active with one Ready node, images present | <= 50 s | $(median "${total[@]}") s (${total[*]}) |
| of that our own share: tasks that wait for nobody, added up | <= 3 s | $(median "${own[@]}") s |
| asked to sleep until all of it is stopped | | $(median "${asleep[@]}") s |
| resident memory of the coordinator after $ROUNDS shoots | <= 128 MiB with 1 000 | $memory MiB |
TABLE
