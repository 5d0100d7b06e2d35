#!/usr/bin/env bash
# node-test.sh [SCENARIO...]: real machines join a real API server by our user data alone, and are kept as they are wanted.
# KEEP=1 leaves the rig up.
. "$(dirname "$0")/lib.sh"
. "$HERE/scenarios.sh"
. "$HERE/tendril.sh"
. "$HERE/pki.sh"
: "${TENDRIL_AGENT:?}" "${TENDRIL_COORDINATOR:?}" "${TENDRIL_VPN:?name the programs; make test-node does}"

agent() { "$HERE/machine.sh" sh "$1" /usr/bin/tendril-agent "${@:2}"; }
machine() { "$HERE/machine.sh" "$@"; }
on() { "$HERE/machine.sh" sh "$@"; }
status() { agent "$1" status --output json 2>/dev/null; }
field() { python3 -c 'import json,sys; v=json.load(sys.stdin)
for k in sys.argv[1].split("."): v=v.get(k) if isinstance(v,dict) else None
print("" if v is None else v)' "$1"; }
is() { [[ $(status "$1" | field "$2") == "$3" ]]; }
has() { [[ $(status "$1" | field "$2") == *"$3"* ]]; }
node_ready() { [[ $(kubectl get node "$1" -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}') == True ]]; }
event() { kubectl get events -A -o jsonpath='{range .items[*]}{.reason}{" "}{.involvedObject.name}{" "}{.message}{"\n"}{end}' | seen "$1"; }
annotation() { kubectl get node "$1" -o "jsonpath={.metadata.annotations.tendril\\.dev/$2}"; }
# kubelet_starts NAME: how often the kubelet was started since the machine's boot
kubelet_starts() { on "$1" journalctl --no-pager -u kubelet -o cat | grep -c "Started kubelet.service" || true; }

# join NAME NUMBER [LINE...]: boots a machine with the token NAME and user data from LINEs
join() {
  user_data "$1" "${@:3}"
  machine up "$1" "$2" "$WORK/$1.userdata"
}

# configured GENERATION [SED EXPRESSION...]: publishes the rig's configuration, changed
configured() {
  sed -e "s/generation: 1}/generation: $1}/" "${@:2}" "$WORK/node-configuration.yaml" >"$WORK/configuration.yaml"
  publish "$WORK/configuration.yaml"
}

# latest: the generation that was published last
latest() {
  kubectl -n kube-system get secret "$(kubectl -n kube-system get cm tendril-node-worker -o jsonpath='{.data.secret}')" -o jsonpath='{.data.node\.json}' |
    base64 -d | field metadata.generation
}
# everywhere GENERATION MACHINE...: waits until it is in force on all of them
everywhere() { local m; for m in "${@:2}"; do until_ok 150 eval "[[ \$(annotation $m applied-generation) == $1 ]]" || fail "$m: $(status "$m")"; done; }

# --- scenarios, in the order of their files, for some go on with the machines of earlier ones
for file in "$HERE"/scenarios/*.sh; do . "$file"; done

[[ -n ${KEEP:-} && -e $RIG/run/apiserver.pid ]] || { "$HERE/clean.sh"; mkdir -p "$RIG"/{run,log,pki,machines} "$WORK"; trap finish EXIT; "$HERE/prepare.sh"; "$HERE/control-plane.sh" up; tendril_up; downloads_up; }
machine_files
# told: what the machines' agents said last
told() { local m; for m in w1 w2 w3; do on $m journalctl --no-pager -u tendril-agent -o cat 2>/dev/null | tail -20; done; }
run_scenarios scenario "$HERE/scenarios" "$@"
