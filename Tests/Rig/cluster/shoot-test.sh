#!/usr/bin/env bash
# shoot-test.sh [SCENARIO...]: a seed, the coordinator in it, and a Shoot from its creation to its end. KEEP=1 leaves all up.
. "$(dirname "$0")/lib.sh"
. "$HERE/scenarios.sh"
: "${TENDRIL:?}" "${TENDRIL_AGENT:?}" "${TENDRIL_COORDINATOR:?}" "${TENDRIL_VPN:?name the programs; make test-shoot does}"
. "$HERE/seed.sh"
WORK=$RIG/shoot
shoot_status() { k -n demo get shoot "$1" -o "jsonpath={.status.$2}"; }
# succeeded SHOOT [OPERATION]: whether what is wanted now is done, as the end of that operation
succeeded() {
  local operation state seen wanted
  IFS=, read -r operation state seen wanted < <(k -n demo get shoot "$1" -o 'jsonpath={.status.lastOperation.type},{.status.lastOperation.state},{.status.observedGeneration},{.metadata.generation}') || true
  [[ $state == Succeeded && $seen == "$wanted" && $operation == "${2:-$operation}" ]]
}
condition() { k -n demo get shoot "$1" -o "jsonpath={.status.conditions[?(@.type==\"$2\")].status}"; }
s() { kubectl_at op "$WORK/kubeconfig" "$@"; } # the shoot
access() { mkdir -p "$WORK"; k -n demo get secret "$1.kubeconfig" -o jsonpath='{.data.kubeconfig}' | base64 -d >"$WORK/kubeconfig"; }

for file in "$HERE"/shoots/*.sh; do . "$file"; done
if [[ -z ${KEEP:-} || ! -e $RIG/run/machine-seed.pid ]]; then
  "$HERE/clean.sh"; mkdir -p "$RIG"/{run,log,pki,machines} "$WORK"; trap finish EXIT; "$HERE/prepare.sh"
  worker_files; up; coordinator_up; start machines "$HERE/seed.sh" machines
  k create namespace demo >/dev/null
fi
# told: what the coordinator said last
told() { k -n tendril-system logs deployment/tendril-coordinator --tail=30; }
run_scenarios shoot "$HERE/shoots" "$@"
