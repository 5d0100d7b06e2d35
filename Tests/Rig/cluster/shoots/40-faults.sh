# shellcheck shell=bash
# Coordinators that are killed, stopped, or two; what one may do.

# A second coordinator as a process here, for a Seed of its own that is the same cluster.
other() { # NAME [START]: starts it, by START, as `kept`
  mkdir -p "$RIG/other"; chmod 700 "$RIG/other"
  ip -n "$RIG_NAME-op" route replace $SERVICES.0.0/16 via $CONTROL_PLANE
  { sed -e 's/^seed: .*/seed: other/' -e '/^metrics:/d' -e '/^webhook:/d' "$RIG/overlay/coordinator.yaml"; printf '%s\n' "gardenKubeconfig: $PKI/admin.kubeconfig" "seedKubeconfig: $PKI/admin.kubeconfig"; } >"$RIG/other/coordinator.yaml"
  rm -f "$RIG/log/$1.log"
  "${2:-once}" "$1" "$RIG/other/coordinator.yaml"
}
once() { start "$1" ip netns exec "$RIG_NAME-op" "$TENDRIL_COORDINATOR" run --config "$2"; }
# kept NAME CONFIGURATION: a coordinator that starts anew when it ends, as a Deployment's pod does
kept() {
  start "$1" ip netns exec "$RIG_NAME-op" sh -c '
    trap "kill \$child; wait \$child; exit" TERM
    while true; do "$0" run --config "$1" & child=$!; wait $child; sleep 1; done' "$TENDRIL_COORDINATOR" "$2"
}
runs() { kill -0 "$(<"$RIG/run/$1.pid")"; } 2>/dev/null
kill_other() { kill -KILL -- "-$(<"$RIG/run/$1.pid")" || true; rm "$RIG/run/$1.pid"; } 2>/dev/null
done_tasks() { { k -n shoot--demo--other get configmap tendril-flow -o jsonpath='{.data.records\.json}' 2>/dev/null || true; } | python3 -c 'import json,sys; print(len(json.loads(sys.stdin.read() or "{}").get("tasks", {})))'; }
# has_credentials: whether all that is only made once was made
has_credentials() { k -n shoot--demo--other get configmap tendril-flow -o jsonpath='{.data.records\.json}' 2>/dev/null | python3 -c 'import json,sys; sys.exit(not json.loads(sys.stdin.read() or "{}").get("tasks", {}).get("authorities", {}).get("inputs"))'; }
fingerprint() { k -n shoot--demo--other get secrets -o json | python3 -c '
import hashlib,json,sys
for s in sorted(json.load(sys.stdin)["items"], key=lambda s: s["metadata"]["name"]):
    if s["metadata"]["name"].startswith("ca") or s["metadata"]["name"].endswith("-key"): print(s["metadata"]["name"], hashlib.sha256(json.dumps(s["data"], sort_keys=True).encode()).hexdigest())'; }

shoot_kills() { # a coordinator that is killed after every task makes one cluster all the same: no second CA, no second machine
  sed -e 's/name: here/name: other/' <<<"$(k get seed here -o json | python3 -c 'import json,sys; s=json.load(sys.stdin); print(json.dumps({"apiVersion": s["apiVersion"], "kind": "Seed", "metadata": {"name": "other"}, "spec": s["spec"]}))')" | k apply -f - >/dev/null
  local before kills=0 machines first= n=0; machines=$(cat "$RIG/groups/count" 2>/dev/null || echo 29)
  k apply -f - >/dev/null <<YAML
apiVersion: tendril.dev/v1alpha1
kind: Shoot
metadata: {name: other, namespace: demo}
spec:
  seedName: other
  kubernetes: {version: $KUBERNETES_VERSION}
  networking: {type: overlay, pods: 100.128.0.0/11, services: 100.72.0.0/13}
  provider: {type: local}
  workers: [{name: worker, minimum: 2, maximum: 2}]
YAML
  while ((kills < 40)); do
    before=$(done_tasks); other coordinator-other
    # Until one more task is done, or there is nothing more to do.
    for n in {1..600}; do
      (($(done_tasks) > before)) && break
      # On a machine that is busy elsewhere it may lose its share, and ends: that is a kill, too.
      runs coordinator-other || break
      # Seldom, for the next task may be done meanwhile.
      if ((n % 10 == 0)) && [[ $(k -n demo get shoot other -o jsonpath='{.status.lastOperation.state}') == Succeeded ]]; then break 2; fi
      sleep 0.05
    done
    kill_other coordinator-other; kills=$((kills + 1))
    k -n tendril-system delete lease -l tendril.dev/seed=other >/dev/null 2>&1 || true
    [[ -n $first ]] || ! has_credentials || first=$(fingerprint)
  done
  say "  killed $kills times"
  ((kills >= 5)) || fail "killed only $kills times"
  until_ok 120 eval "succeeded other Create || succeeded other Reconcile" || fail "$(k -n demo get shoot other -o jsonpath='{.status.lastOperation}')"
  [[ -n $first && $(fingerprint) == "$first" ]] || fail "credentials were made twice: $(diff <(echo "$first") <(fingerprint))"
  (($(<"$RIG/groups/count") == machines + 2)) || fail "$(($(<"$RIG/groups/count") - machines)) machines were made"
}

shoot_overlay() { # inside UDP pods of one node reach those of another as they are; others see their node's address
  [[ -n $(k -n demo get shoot other -o name 2>/dev/null) ]] || { say "  left out with kills"; return 0; }
  local WORK=$RIG/other nodes from; mkdir -p "$WORK"; access other
  until_ok 60 nodes_ready 2 || fail "$(s get nodes)"
  mapfile -t nodes < <(s get nodes -o jsonpath='{range .items[*]}{.metadata.name}{"\n"}{end}')
  s run near --image=rig.invalid/server:1 --image-pull-policy=Never --restart=Never --overrides="{\"spec\":{\"nodeName\":\"${nodes[0]}\"}}" --command -- /usr/bin/python3.11 -u -m http.server 8000 >/dev/null
  s run far --image=rig.invalid/busybox:1 --image-pull-policy=Never --restart=Never --overrides="{\"spec\":{\"nodeName\":\"${nodes[1]}\"}}" --command -- sleep 1000 >/dev/null
  s wait --for=condition=Ready pod/near pod/far "$TIMEOUT" >/dev/null
  from=$(s get pod far -o jsonpath='{.status.podIP}')
  # asked ADDRESS PORT: whether it answers the pod `far` by HTTP
  asked() { s exec far -- sh -c "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 2 $1 $2" | seen "200 OK"; }
  until_ok 20 asked "$(s get pod near -o jsonpath='{.status.podIP}')" 8000 || fail "no way between nodes: $(s -n kube-system logs -l k8s-app=tendril-routes 2>&1 | tail -5)"
  s logs near | seen "^$from " || fail "near saw somebody else than $from: $(s logs near | tail -3)"
  # A node's own connections come from its part of the pods' range, and full packets fit.
  "$HERE/machine.sh" sh "${nodes[0]}" ping -c 1 -W 2 -M do -s 1436 "$from" >/dev/null || fail "a full packet does not fit"
  start outside ip netns exec "$RIG_NAME-op" python3 -u -m http.server 8099 --directory "$WORK"
  until_ok 10 asked $NET.250 8099 || fail "no way out"
  stop outside
  seen "^$NET\." <"$RIG/log/outside.log" || fail "the world sees a pod's address: $(tail -3 "$RIG/log/outside.log")"
}

# asleep COMMAND...: for each of the shoots that sleep, with its name behind
asleep() { local name; for name in "${sleeping[@]}"; do "$@" "$name" || return 1; done; }
# done_by LOG SHOOT: how often that coordinator has issued the shoot's certificates
done_by() { { grep "shoot=demo/$2 task=certificates" "$RIG/log/$1.log" || true; } | wc -l; }
done_once() { (($(done_by coordinator-other "$1") + $(done_by coordinator-third "$1") == 1)); }
has_some() { grep -q "shoot=demo/asleep.*task=certificates" "$RIG/log/$1.log"; }
# sleepers NAME...: makes them, and waits until they sleep
sleepers() {
  local name
  for name; do
    printf '%s\n' --- 'apiVersion: tendril.dev/v1alpha1' 'kind: Shoot' "metadata: {name: $name, namespace: demo, annotations: {confirmation.tendril.dev/deletion: 'true'}}" \
      "spec: {seedName: other, kubernetes: {version: $KUBERNETES_VERSION}, hibernation: {enabled: true}, provider: {type: local}, workers: [{name: worker}]}"
  done | k apply -f - >/dev/null
  for name; do until_ok 60 succeeded "$name" Hibernate || fail "$(k -n demo get shoot "$name" -o yaml)"; done
}
reconcile() { k -n demo annotate shoot "$1" tendril.dev/operation=reconcile >/dev/null; }
reconciled() { [[ -z $(k -n demo get shoot "$1" -o jsonpath='{.metadata.annotations.tendril\.dev/operation}') ]]; }

shoot_shared() { # coordinators of one seed share its shoots; one that stands still is followed by the others, and changes nothing when it goes on
  local i sleeping=(asleep-{1..6})
  runs coordinator-other || other coordinator-other
  # Where this machine is busy it may lose its share without having been stopped.
  other coordinator-third kept
  until_ok 40 grep -q "taking care.*coordinators=2" "$RIG/log/coordinator-third.log" || fail "$(tail -3 "$RIG/log/coordinator-third.log")"
  sleepers "${sleeping[@]}"
  # Whose they are is drawn anew in each run: once in 32 one has all six.
  for i in 7 10 13; do
    has_some coordinator-other && has_some coordinator-third && break
    sleepers "asleep-$i" "asleep-$((i + 1))" "asleep-$((i + 2))"; sleeping+=("asleep-$i" "asleep-$((i + 1))" "asleep-$((i + 2))")
  done
  asleep done_once || fail "something was done by none, or twice: $(grep -h "task=certificates" "$RIG"/log/coordinator-{other,third}.log)"
  for i in other third; do has_some "coordinator-$i" || fail "$i has none of them"; done
  kill -STOP -- "-$(<"$RIG/run/coordinator-other.pid")"
  local before; before=$(wc -l <"$RIG/log/coordinator-other.log")
  asleep reconcile
  until_ok 60 asleep reconciled || fail "nobody follows: $(tail -3 "$RIG/log/coordinator-third.log")"
  kill -CONT -- "-$(<"$RIG/run/coordinator-other.pid")"
  until_ok 10 grep -q "the share is lost" "$RIG/log/coordinator-other.log" || fail "$(tail -3 "$RIG/log/coordinator-other.log")"
  until_ok 5 eval '! runs coordinator-other' || fail "it goes on"
  ! tail -n "+$((before + 1))" "$RIG/log/coordinator-other.log" | grep "INFO.*task=" || fail "it has changed something"
  # One that comes takes its part as soon as the other has let go, and leaves it at once when it is told to end.
  other coordinator-other
  until_ok 12 grep -q "taking care.*coordinators=2" "$RIG/log/coordinator-other.log" || fail "$(tail -3 "$RIG/log/coordinator-other.log")"
  stop coordinator-other
  until_ok 5 eval '(($(grep -c "coordinators=1" "$RIG/log/coordinator-third.log") > 1))' || fail "$(tail -3 "$RIG/log/coordinator-third.log")"
  k -n demo annotate shoot other confirmation.tendril.dev/deletion=true >/dev/null
  # The seed's namespaces take their time; `down` sees that all is gone.
  k -n demo delete shoot other "${sleeping[@]}" --wait=false >/dev/null
}

shoot_rights() { # the coordinator may do what its role says, and nothing of what would make it master of its seed
  local can=(k --as=system:serviceaccount:tendril-system:tendril-coordinator auth can-i) verb
  for verb in "create namespaces" "patch deployments.apps -n shoot--demo--one" "create secrets -n shoot--demo--one" "patch shoots.tendril.dev/status -n demo" "update leases.coordination.k8s.io -n tendril-system"; do
    "${can[@]}" $verb >/dev/null || fail "it may not $verb"
  done
  for verb in "create pods -n shoot--demo--one" "create pods/exec -n shoot--demo--one" "get nodes" "list pods -A" "create clusterroles.rbac.authorization.k8s.io" "create clusterrolebindings.rbac.authorization.k8s.io" \
    "escalate clusterroles.rbac.authorization.k8s.io" "impersonate users" "create serviceaccounts/token -n kube-system" "delete shoots.tendril.dev -n demo" "update leases.coordination.k8s.io -n kube-system" "create validatingwebhookconfigurations" "create daemonsets.apps -n kube-system"; do
    ! "${can[@]}" $verb >/dev/null || fail "it may $verb"
  done
}
