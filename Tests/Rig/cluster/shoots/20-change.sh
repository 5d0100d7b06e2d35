# shellcheck shell=bash
# A cluster changes, sleeps and wakes up.

# Wishes for a release that is too far from the one that runs, and for others.
release() { printf '{"spec":{"kubernetes":{"version":"%s"}%s}}' "$1" "${2:-}"; }
TOO_NEW=1.$((MINOR + 2)).0

change() { k -n demo patch shoot one --type=merge -p "$1" >/dev/null; }
nodes_ready() { [[ $(s get nodes --no-headers 2>/dev/null | awk '$2 == "Ready"' | wc -l) == "$1" && $(s get nodes --no-headers | wc -l) == "$1" ]]; }

shoot_scale() { # a pool grows and shrinks; the Nodes of machines that are gone are gone
  change '{"spec":{"workers":[{"name":"worker","minimum":2,"maximum":2}]}}'
  until_ok 120 nodes_ready 2 || fail "$(s get nodes)"
  # A pod on the new node reaches one on the other by its own address.
  local far; far=$(s get nodes -o jsonpath='{.items[*].metadata.name}' | tr ' ' '\n' | grep -v "^$(s get pod web -o jsonpath='{.spec.nodeName}')$")
  s run far --image=rig.invalid/busybox:1 --image-pull-policy=Never --restart=Never --overrides="{\"spec\":{\"nodeName\":\"$far\"}}" --command -- sleep 1000 >/dev/null
  s wait --for=condition=Ready pod/far "$TIMEOUT" >/dev/null
  until_ok 20 s exec far -- ping -c 1 -W 1 "$(s get pod web -o jsonpath='{.status.podIP}')" || fail "no way between nodes: $(s -n kube-system logs -l k8s-app=tendril-routes 2>&1 | tail -5)"
  s delete pod far --now >/dev/null
  change '{"spec":{"workers":[{"name":"worker","minimum":1,"maximum":2}]}}'
  until_ok 60 nodes_ready 1 || fail "$(s get nodes)"
  until_ok 30 succeeded one Reconcile || fail "$(k -n demo get shoot one -o yaml)"
  until_ok 20 t node status one || fail "$(t node status one)"
}

# extra_pool TYPE: the pool `worker` as it is, and beside it one whose machines are of that type
extra_pool() { change "{\"spec\":{\"workers\":[{\"name\":\"worker\",\"minimum\":1,\"maximum\":2},{\"name\":\"extra\",\"minimum\":2,\"maximum\":3,\"machineType\":\"$1\"}]}}"; }
# extra_nodes TYPE: the nodes of that pool whose machines are of a type and ready for pods
extra_nodes() { s get nodes -l tendril.dev/pool=extra -o json | python3 -c 'import json,sys
for n in json.load(sys.stdin)["items"]:
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in n["status"]["conditions"])
    if ready and not n["spec"].get("unschedulable") and n["metadata"].get("annotations", {}).get("tendril.dev/machine-class") == "default/" + sys.argv[1]: print(n["metadata"]["name"])' "$1"; }
shoot_replace() { # machines of another type take the place of those that are there: within budgets, back again, and whoever is killed on the way
  local old gone
  extra_pool small
  until_ok 120 eval '[[ $(extra_nodes small | wc -l) == 2 ]]' || fail "$(s get nodes)"
  old=$(extra_nodes small)
  s apply -f - >/dev/null <<YAML
apiVersion: apps/v1
kind: Deployment
metadata: {name: guarded, namespace: default}
spec:
  replicas: 2
  selector: {matchLabels: {app: guarded}}
  template:
    metadata: {labels: {app: guarded}}
    spec:
      nodeSelector: {tendril.dev/pool: extra}
      terminationGracePeriodSeconds: 1
      containers: [{name: a, image: rig.invalid/busybox:1, imagePullPolicy: Never, command: [sleep, "100000"]}]
---
apiVersion: $(since 21 && echo policy/v1 || echo policy/v1beta1)
kind: PodDisruptionBudget
metadata: {name: guarded, namespace: default}
spec: {minAvailable: 2, selector: {matchLabels: {app: guarded}}}
YAML
  s rollout status deployment/guarded "$TIMEOUT" >/dev/null
  until_ok 30 succeeded one Reconcile || fail "$(k -n demo get shoot one -o yaml)"
  # A budget that allows nothing holds all of it up, and that is told; another machine is there by then.
  extra_pool large
  until_ok 120 eval '[[ $(k -n demo get events) == *MachineReplacementWaits*guarded* ]]' || fail "$(k -n demo get events; s get nodes)"
  [[ $(extra_nodes large | wc -l) == 1 && $(s get nodes -l tendril.dev/pool=extra --no-headers | wc -l) == 3 ]] || fail "$(s get nodes)"
  [[ $(s get deployment guarded -o jsonpath='{.status.readyReplicas}') == 2 ]] || fail "$(s get pods -o wide)"
  # Back again: those that were there stay, and the new one goes.
  extra_pool small
  until_ok 120 eval '[[ $(extra_nodes small) == "$old" && $(s get nodes -l tendril.dev/pool=extra --no-headers | wc -l) == 2 ]]' || fail "$(k -n demo get events | tail -5; s get nodes)"
  until_ok 30 succeeded one Reconcile || fail "$(k -n demo get shoot one -o yaml)"
  # With a budget that can be kept all of them are replaced, and no coordinator needs to live to the end of it.
  s patch pdb guarded --type=merge -p '{"spec":{"minAvailable":1}}' >/dev/null
  extra_pool large
  gone=${old%%$'\n'*}
  until_ok 240 eval '! s get node "$gone" >/dev/null 2>&1 || [[ $(s get nodes -l tendril.dev/pool=extra -o name | grep -cF "$old") == 1 ]]' || fail "$(s get nodes)"
  k -n tendril-system delete pod --all --wait=false >/dev/null
  until_ok 300 succeeded one Reconcile || fail "$(k -n demo get shoot one -o yaml)"
  [[ $(extra_nodes large | wc -l) == 2 && $(s get nodes -l tendril.dev/pool=extra --no-headers | wc -l) == 2 ]] || fail "$(s get nodes)"
  ! s get nodes -o name | grep -qF "$old" || fail "an old one is left: $(s get nodes)"
  until_ok 60 eval '[[ $(s get deployment guarded -o jsonpath="{.status.readyReplicas}") == 2 ]]' || fail "$(s get pods -o wide)"
  s delete deployment/guarded pdb/guarded >/dev/null
  change '{"spec":{"workers":[{"name":"worker","minimum":1,"maximum":2}]}}'
  until_ok 60 nodes_ready 1 || fail "$(s get nodes)"
  until_ok 30 succeeded one Reconcile || fail "$(k -n demo get shoot one -o yaml)"
}

shoot_repeat() { # a coordinator that starts anew repeats nothing that was done
  local pid; pid=$("$HERE/machine.sh" sh seed pgrep -f 'tendril-coordinator run' | head -1)
  [[ -n $pid ]] || fail "no coordinator runs"
  # More time than it is waited for: what does not hear SIGTERM is seen.
  k -n tendril-system delete pod --all --grace-period=200 --wait=false >/dev/null
  until_ok 20 eval '! "$HERE/machine.sh" sh seed kill -0 $pid' || fail "it does not end when it is asked to"
  # A kubelet may need a minute until it says that a pod is gone.
  until_ok 120 eval '[[ $(k -n tendril-system get pods -o name | wc -l) == 1 ]]' || fail "$(k -n tendril-system get pods)"
  k -n tendril-system rollout status deployment/tendril-coordinator "$TIMEOUT" >/dev/null
  until_ok 30 eval 'k -n tendril-system logs deployment/tendril-coordinator | grep "found done.*shoot=demo/one"' || fail "no reconciliation"
  ! k -n tendril-system logs deployment/tendril-coordinator | grep "shoot=demo/one.*task=" || fail "$(k -n tendril-system logs deployment/tendril-coordinator | grep done)"
}

# api_pods: those of kube-apiserver
api_pods() { k -n shoot--demo--one get pods -o name | grep /kube-apiserver- | sort; }
# due_kubeconfig: people's certificate is due as far as the coordinator knows that starts next, and is another one then
due_kubeconfig() {
  k -n shoot--demo--one get configmap tendril-flow -o json | python3 -c 'import json,sys
m=json.load(sys.stdin); r=json.loads(m["data"]["records.json"]); r["tasks"].pop("access-renewal", None); r["tasks"]["certificates"]["output"]["people"]=1
m["data"]["records.json"]=json.dumps(r); json.dump(m, sys.stdout)' | k replace -f - >/dev/null
  k -n shoot--demo--one delete secret kubeconfig >/dev/null
}

shoot_window() { # what the operator changes waits for the shoot's maintenance window; what its owner changes does not, nor does people's kubeconfig
  local map generation old pods; map=$(k -n tendril-system get configmaps -o name | grep tendril-coordinator); generation=$(applied_generation)
  change "{\"spec\":{\"maintenance\":{\"timeWindow\":{\"begin\":\"$(date -u -d '+2 hours' +%H:%M)\",\"end\":\"$(date -u -d '+4 hours' +%H:%M)\"}}}}"
  until_ok 30 succeeded one Reconcile || fail "$(k -n demo get shoot one -o yaml)"
  old=$(k -n demo get secret one.kubeconfig -o jsonpath='{.data.kubeconfig}'); pods=$(api_pods)
  k -n tendril-system get "$map" -o json | sed 's/holdSeconds: 5/holdSeconds: 4/' | k replace -f - >/dev/null
  due_kubeconfig
  k -n tendril-system delete pod --all >/dev/null
  until_ok 60 eval 'k -n tendril-system logs deployment/tendril-coordinator | grep "taking care"'
  until_ok 30 eval '[[ $(k -n demo get secret one.kubeconfig -o jsonpath="{.data.kubeconfig}") != "$old" ]]' || fail "people's kubeconfig waits: $(told)"
  # A look at it is a matter of a second.
  sleep 8
  ! told | grep "shoot=demo/one.*task=" | grep -v "task=access-renewal" || fail "it did not wait"
  [[ $(api_pods) == "$pods" ]] || fail "kube-apiserver started anew: $(k -n shoot--demo--one get pods)"
  access one; s get nodes >/dev/null || fail "the new kubeconfig does not work"
  change '{"spec":{"maintenance":null}}'
  until_ok 60 eval '(($(applied_generation) > generation))' || fail "the owner's own change waits: $(told)"
  until_ok 60 succeeded one Reconcile || fail "$(k -n demo get shoot one -o yaml)"
}

shoot_refused() { # what cannot be is refused with the field and the reason, and nothing of it is done
  local before; before=$(k -n shoot--demo--one get deployments,statefulsets -o jsonpath='{.items[*].metadata.generation}')
  refused() { # PATCH TEXT
    change "$1"; until_ok 15 eval "[[ \"\$(shoot_status one lastOperation.description)\" == *'$2'* && \$(shoot_status one lastOperation.state) == Failed ]]" || fail "$1: $(shoot_status one lastOperation)"
  }
  refused "$(release $TOO_NEW)" "skips a minor release"
  refused "$(release "${KUBERNETES_VERSION%.*}.0")" "is older than $KUBERNETES_VERSION"
  refused "$(release "$KUBERNETES_VERSION" ',"networking":{"pods":"10.96.0.0/16"}')" "spec.networking.pods: cannot be changed"
  refused '{"spec":{"networking":{"pods":"100.96.0.0/11"},"workers":[{"name":"worker","minimum":3,"maximum":2}]}}' "spec.workers[0].minimum: 3 is more than the maximum 2"
  change '{"spec":{"workers":[{"name":"worker","minimum":1,"maximum":2}]}}'
  until_ok 30 succeeded one Reconcile || fail "$(k -n demo get shoot one -o yaml)"
  [[ $(k -n shoot--demo--one get deployments,statefulsets -o jsonpath='{.items[*].metadata.generation}') == "$before" ]] || fail "something was changed"
  ! k -n demo patch shoot one --type=merge -p '{"spec":{"kubernetes":{"version":"latest"}}}' 2>"$WORK/error" || fail "the schema takes anything"
  grep -q "spec.kubernetes.version" "$WORK/error" || fail "$(<"$WORK/error")"
}

# gated FLAG: whether all that take feature gates are told these
gated() {
  local i
  for i in kube-apiserver kube-controller-manager kube-scheduler; do
    k -n shoot--demo--one get deployment $i -o json | seen "\"$1\"" || return 1
  done
}
shoot_gates() { # a feature gate that nobody knows takes no pod down that works, and goes by taking it back; one that is known reaches whom it is for
  local pods new; pods=$(api_pods)
  change '{"spec":{"controlPlane":{"featureGates":{"NoSuchGate":true}}}}'
  until_ok 60 eval '[[ -n $(comm -13 <(echo "$pods") <(api_pods)) ]]' || fail "no pod is told of it"
  new=$(comm -13 <(echo "$pods") <(api_pods))
  until_ok 60 eval '(($(k -n shoot--demo--one get "$new" -o jsonpath="{.status.containerStatuses[?(@.name==\"kube-apiserver\")].restartCount}") > 0))' || fail "$(k -n shoot--demo--one get pods)"
  s get --raw /readyz >/dev/null || fail "the API server that worked is gone"
  [[ -z $(comm -23 <(echo "$pods") <(api_pods)) ]] || fail "$pods gave way to $(api_pods)"
  ! gated --feature-gates=NoSuchGate=true || fail "the controllers were told as well"
  change '{"spec":{"controlPlane":{"featureGates":null}}}'
  until_ok 60 succeeded one Reconcile || fail "$(k -n demo get shoot one -o yaml)"
  until_ok 60 eval '[[ $(api_pods) == "$pods" ]]' || fail "$(k -n shoot--demo--one get pods)"
  # Known from 1.14 on, and never a matter of course.
  change '{"spec":{"controlPlane":{"featureGates":{"StorageVersionHash":true},"admissionPlugins":{"enable":["ExtendedResourceToleration"]}}}}'
  until_ok 120 succeeded one Reconcile || fail "$(k -n demo get shoot one -o yaml)"
  gated --feature-gates=StorageVersionHash=true || fail "$(k -n shoot--demo--one get deployments -o yaml)"
  change '{"spec":{"controlPlane":{"featureGates":null,"admissionPlugins":null}}}'
  until_ok 120 succeeded one Reconcile || fail "$(k -n demo get shoot one -o yaml)"
}

shoot_webhook() { # the API server asks the coordinator before it stores a Shoot; while nobody answers nothing is refused
  registration = | k apply -f - >/dev/null
  admitted() { ! k -n demo patch shoot one --dry-run=server --type=merge -p "$1" >/dev/null 2>"$WORK/error" && grep -q "$2" "$WORK/error"; }
  until_ok 20 admitted "$(release $TOO_NEW)" "shoots.tendril.dev.*spec.kubernetes.version: $TOO_NEW skips a minor release" || fail "$(<"$WORK/error")"
  admitted '{"spec":{"networking":{"pods":"10.96.0.0/16"}}}' "spec.networking.pods" || fail "$(<"$WORK/error")"
  admitted '{"spec":{"workers":[{"name":"worker","minimum":3,"maximum":2}]}}' "spec.workers\[0\].minimum: 3 is more than the maximum 2" || fail "$(<"$WORK/error")"
  k -n demo patch shoot one --dry-run=server --type=merge -p '{"spec":{"workers":[{"name":"worker","minimum":2,"maximum":2}]}}' >/dev/null || fail "what can be is refused"
  k -n demo annotate shoot one a=b --dry-run=server >/dev/null || fail "a note is refused"
  ! k -n demo delete shoot one --dry-run=server 2>"$WORK/error" >/dev/null && grep -q confirmation.tendril.dev/deletion=true "$WORK/error" || fail "$(<"$WORK/error")"
  admitted '{"metadata":{"finalizers":null}}' "metadata.finalizers: tendril.dev/shoot stays" || fail "$(<"$WORK/error")"
  # Whatever somebody sends to it, it goes on answering.
  local pod; pod=$(k -n tendril-system get pods -o jsonpath='{.items[0].status.podIP}')
  local junk; for junk in '' '{' '[]' '{"request":{}}' '{"apiVersion":"a","kind":"b","request":{"uid":"u","operation":"CREATE","object":{"spec":[]}}}'; do
    "$HERE/machine.sh" sh seed curl -sk -m 5 -o /dev/null -w '%{http_code}\n' --data-binary "$junk" "https://$pod:9443/validate-shoots" >>"$WORK/answers"
  done
  [[ $(tr '\n' ' ' <"$WORK/answers") == "400 400 400 400 200 " ]] || fail "$(<"$WORK/answers")"
  "$HERE/machine.sh" sh seed sh -c "head -c 9000000 /dev/zero | curl -sk -m 5 -o /dev/null --data-binary @- https://$pod:9443/validate-shoots" || true
  admitted "$(release $TOO_NEW)" "skips a minor release" || fail "$(<"$WORK/error")"
  k -n tendril-system scale deployment/tendril-coordinator --replicas=0 >/dev/null
  until_ok 40 eval '[[ -z $(k -n tendril-system get pods --no-headers 2>/dev/null) ]]'
  k -n demo patch shoot one --dry-run=server --type=merge -p "$(release $TOO_NEW)" >/dev/null || fail "nobody answers, and that stops people"
  k -n tendril-system scale deployment/tendril-coordinator --replicas=1 >/dev/null
  k -n tendril-system rollout status deployment/tendril-coordinator "$TIMEOUT" >/dev/null
  k delete validatingwebhookconfiguration tendril-coordinator >/dev/null
}

# links POD: how many links the tunnel's server in it has
links() { k -n shoot--demo--one exec "$1" -c tendril-vpn -- /usr/bin/tendril-vpn status --output json 2>/dev/null | python3 -c 'import json,sys; print(json.load(sys.stdin)["linksLive"])'; }
all_linked() { local pods pod; pods=$(k -n shoot--demo--one get pods -l app.kubernetes.io/name=kube-apiserver --no-headers -o custom-columns=:metadata.name,:metadata.deletionTimestamp | awk '$2 == "<none>" { print $1 }'); [[ $(wc -w <<<"$pods") == 2 ]] || return 1; for pod in $pods; do [[ $(links "$pod") == "$1" ]] || return 1; done; }

shoot_replicas() { # two of each part: every node links to both, and while a new release rolls all of them not one request is refused
  change '{"spec":{"controlPlane":{"replicas":2}}}'
  until_ok 120 succeeded one Reconcile || fail "$(k -n demo get shoot one -o yaml)"
  until_ok 30 all_linked 1 || fail "$(k -n shoot--demo--one get pods)"
  local i; for i in {1..8}; do [[ $(s logs web) == up ]] || fail "no logs"; done
  rm -f "$WORK/refused"
  (while [[ ! -e $WORK/stop ]]; do s get --raw /version >/dev/null 2>>"$WORK/refused" || echo refused >>"$WORK/refused"; sleep 0.05; echo asked >>"$WORK/asked"; done) &
  change "{\"spec\":{\"vpn\":{\"lanes\":2},\"kubernetes\":{\"version\":\"$NEXT_PATCH\"}}}"
  until_ok 120 succeeded one Reconcile || fail "$(k -n demo get shoot one -o yaml)"
  until_ok 30 all_linked 1 || fail "$(k -n shoot--demo--one get pods)"
  touch "$WORK/stop"; wait; rm "$WORK/stop"
  ! grep -q refused "$WORK/refused" || fail "$(sort "$WORK/refused" | uniq -c | head -3) of $(wc -l <"$WORK/asked")"
  [[ $(s logs web) == up ]] || fail "no logs after the roll"
  for i in kube-apiserver kube-controller-manager kube-scheduler; do
    [[ $(k -n shoot--demo--one get deployment $i -o jsonpath='{.spec.template.spec.containers[0].image}') == *:v$NEXT_PATCH ]] || fail "$i stays behind"
  done
  [[ $(s -n kube-system get daemonset kube-proxy -o jsonpath='{.spec.template.spec.containers[0].image}') == *:v$NEXT_PATCH ]] || fail "kube-proxy stays behind"
  [[ $(k -n demo get shoot one -o jsonpath='{.status.kubernetesVersion}') == "$NEXT_PATCH" ]] || fail "$(k -n demo get shoot one -o yaml)"
  change '{"spec":{"controlPlane":{"replicas":1},"vpn":{"lanes":1}}}'
  until_ok 120 succeeded one Reconcile || fail "$(k -n demo get shoot one -o yaml)"
}

shoot_repair() { # what an owner or an operator deletes or changes of what is ours comes back by itself, and is told until then
  local image; image=$(s -n kube-system get daemonset kube-proxy -o jsonpath='{.spec.template.spec.containers[0].image}')
  s -n kube-system set image daemonset/kube-proxy "*=rig.invalid/busybox:1" >/dev/null
  until_ok 90 eval 'k -n demo get shoot one -o jsonpath="{.status.conditions[*].message}" | seen "kube-proxy was changed by somebody else"' || fail "nobody notices the change"
  until_ok 120 eval '[[ $(condition one SystemComponentsHealthy) == True ]]' || fail "$(k -n demo get shoot one -o yaml)"
  [[ $(s -n kube-system get daemonset kube-proxy -o jsonpath='{.spec.template.spec.containers[0].image}') == "$image" ]] || fail "the change stays"
  s -n kube-system delete daemonset kube-proxy >/dev/null
  s delete endpoints kubernetes >/dev/null
  k -n shoot--demo--one delete deployment kube-scheduler >/dev/null
  until_ok 90 eval '[[ $(condition one SystemComponentsHealthy) == False ]]' || fail "nobody notices"
  until_ok 120 eval '[[ $(condition one SystemComponentsHealthy)$(condition one ControlPlaneHealthy) == TrueTrue ]]' || fail "$(k -n demo get shoot one -o yaml)"
  s -n kube-system get daemonset kube-proxy >/dev/null; k -n shoot--demo--one get deployment kube-scheduler >/dev/null
  [[ $(s get endpoints kubernetes -o jsonpath='{.subsets[0].addresses[0].ip}') == 192.0.2.100 ]] || fail "$(s get endpoints kubernetes -o yaml)"
}

# etcd_data: where the shoot's etcd keeps its data, in the seed's machine
etcd_data() { local volume; volume=$(k -n shoot--demo--one get pvc -o jsonpath='{.items[0].spec.volumeName}'); echo "/tmp/hostpath_pv/${volume#volume-}"; }
# plane COUNT: so many pods of etcd and of the API server, when etcd answers (its coordinator is told to look away)
plane() {
  k -n shoot--demo--one scale statefulset etcd --replicas="$1" >/dev/null
  if (($1 == 1)); then until_ok 60 etcd_answers; fi
  [[ -z ${2:-} ]] || "$2"
  k -n shoot--demo--one scale deployment kube-apiserver --replicas="$1" >/dev/null
  (($1 == 0)) || { until_ok 60 s get --raw /readyz; return; }
  # shellcheck disable=SC2046
  k -n shoot--demo--one delete --force --grace-period=0 $(k -n shoot--demo--one get pods -o name | grep -E "/(etcd|kube-apiserver)-") >/dev/null 2>&1
  until_ok 60 eval '! "$HERE/machine.sh" sh seed pgrep -f "^etcd --name=etcd-0 |^kube-apiserver .*--endpoint-reconciler-type=none"' || fail "$("$HERE/machine.sh" sh seed ps ax)"
}
# own_etcdctl ARGUMENT...: at the shoot's etcd
own_etcdctl() { in_ns seed "$ETCD_BIN/etcdctl" --endpoints="https://$(k -n shoot--demo--one get pod etcd-0 -o jsonpath='{.status.podIP}'):2379" --insecure-skip-tls-verify --cert="$WORK/etcd.crt" --key="$WORK/etcd.key" "$@"; }
etcd_answers() { own_etcdctl get --prefix --keys-only --limit=1 /; }
# bump_revision: what was watched from a revision that is to come again is watched from one that is past, and listed anew
# (etcd 3.5 has `etcdutl snapshot restore --bump-revision` for it)
bump_revision() { local i; for i in {1..400}; do own_etcdctl put bump "$i" >/dev/null; done; }
pause() { k -n demo annotate shoot one tendril.dev/pause="$1" --overwrite >/dev/null; }

shoot_restored_etcd() { # the shoot's own etcd is restored from an earlier day: its nodes are told anew what they know, ours comes back, nobody joins a second time
  local generation data uid name; data=$(etcd_data); uid=$(s get nodes -o jsonpath='{.items[0].metadata.uid}'); generation=$(applied_generation)
  for name in crt key; do k -n shoot--demo--one get secret etcd-client -o jsonpath="{.data.tls\\.$name}" | base64 -d >"$WORK/etcd.$name"; done
  s -n kube-system delete daemonset kube-proxy >/dev/null
  pause true; plane 0; "$HERE/machine.sh" sh seed cp -a "$data" /var/lib/etcd-then
  plane 1; pause false
  change '{"spec":{"vpn":{"lanes":3}}}'
  until_ok 120 succeeded one Reconcile || fail "$(k -n demo get shoot one -o yaml)"
  (($(applied_generation) > generation)) || fail "the nodes have nothing new"
  generation=$(applied_generation)
  s create configmap forgotten >/dev/null
  pause true; plane 0; "$HERE/machine.sh" sh seed sh -c "rm -rf $data/*; cp -a /var/lib/etcd-then/. $data/; rm -r /var/lib/etcd-then"
  plane 1 bump_revision; pause false
  ! s get configmap forgotten >/dev/null 2>&1 || fail "nothing was restored"
  until_ok 180 eval '(($(applied_generation) >= generation)) && [[ $(condition one EveryNodeReady)$(condition one ControlPlaneHealthy)$(condition one SystemComponentsHealthy) == TrueTrueTrue ]] && s -n kube-system get daemonset kube-proxy >/dev/null' || fail "$(k -n demo get shoot one -o yaml)"
  [[ $(s get nodes -o jsonpath='{.items[*].metadata.uid}') == "$uid" ]] || fail "$(s get nodes)"
  [[ $(s logs web) == up ]] || fail "no logs"
}

# rotation PHASE: whether the exchange of credentials is so far
rotation() { [[ $(shoot_status one credentialRotation.phase) == "$1" ]]; }
# authorities: SHA-256 of every CA and key that is used
authorities() { k -n shoot--demo--one get secret ca ca-client ca-kubelet ca-front-proxy ca-etcd ca-vpn service-account-key etcd-encryption-key vpn-gate-key node-signing-key -o json | python3 -c 'import hashlib,json,sys
for s in json.load(sys.stdin)["items"]: print(s["metadata"]["name"], s["metadata"]["annotations"]["tendril.dev/credential"], s["metadata"]["annotations"].get("tendril.dev/other-credential", "-"), hashlib.sha256("".join(v for k, v in sorted(s["data"].items()) if not k.startswith("other-")).encode()).hexdigest())'; }

# with KUBECONFIG COMMAND...: kubectl as somebody else
with() { kubectl_at op "$@"; }
# issued_by MACHINE FILE CA: the certificate was signed by the CA's key that is used now
issued_by() {
  k -n shoot--demo--one get secret "$3" -o jsonpath='{.data.ca\.crt}' | base64 -d >"$WORK/issuer.crt"
  "$HERE/machine.sh" sh "$1" cat "$2" | openssl x509 | openssl verify -partial_chain -CAfile "$WORK/issuer.crt" >/dev/null || fail "$2 of $1 is not of $3"
}

# applied_generation: the newest that the only node has applied
applied_generation() { s get nodes -o jsonpath='{.items[0].metadata.annotations.tendril\.dev/applied-generation}'; }
# seed_etcdctl ARGUMENT...: at the seed's etcd
seed_etcdctl() { in_ns seed "$ETCD_BIN/etcdctl" --endpoints=https://127.0.0.1:2379 --cacert="$PKI/etcd-ca.crt" --cert="$PKI/etcd-client.crt" --key="$PKI/etcd-client.key" "$@"; }
etcd_runs() { "$HERE/machine.sh" sh seed pgrep -x "etcd|kube-apiserver" -a | seen "--name=default\|--advertise-address=$CONTROL_PLANE"; }
# restore_seed SNAPSHOT: the seed's control plane starts anew with what etcd held then
restore_seed() {
  local root=$RIG/machines/seed/root
  mkdir -p "$root/etc/kubernetes/stopped"; mv "$root"/etc/kubernetes/manifests/* "$root/etc/kubernetes/stopped/"
  until_ok 60 eval '! etcd_runs'
  rm -rf "$root/var/lib/seed/etcd"
  # From etcd 3.5 on a program of its own does it, and tells those who watch that they have to look anew.
  local tool=$ETCD_BIN/etcdutl ahead=(--bump-revision=1000000000 --mark-compacted); [[ -x $tool ]] || { tool=$ETCD_BIN/etcdctl; ahead=(); }
  "$tool" snapshot restore "$1" --data-dir="$root/var/lib/seed/etcd" --name=default --initial-cluster=default=http://127.0.0.1:2380 \
    --initial-advertise-peer-urls=http://127.0.0.1:2380 "${ahead[@]}" >/dev/null 2>&1
  mv "$root"/etc/kubernetes/stopped/* "$root/etc/kubernetes/manifests/"
  until_ok 90 k get --raw /readyz
  # A kubelet does not start again what it was told to end by an API server that has forgotten it.
  "$HERE/machine.sh" sh seed systemctl restart kubelet
}

shoot_restored() { # garden and seed are restored from an earlier day: what was changed since is taken back, and nothing is made a second time
  local generation lanes; seed_etcdctl snapshot save "$RIG/etcd.snapshot" >/dev/null 2>&1
  lanes=$(k -n demo get shoot one -o jsonpath='{.spec.vpn.lanes}')
  authorities >"$WORK/authorities.before"; generation=$(applied_generation)
  change "{\"spec\":{\"vpn\":{\"lanes\":$((lanes + 1))}}}"
  until_ok 120 succeeded one Reconcile || fail "$(k -n demo get shoot one -o yaml)"
  (($(applied_generation) > generation)) || fail "the nodes have nothing new"
  generation=$(applied_generation)
  restore_seed "$RIG/etcd.snapshot"
  [[ $(k -n demo get shoot one -o jsonpath='{.spec.vpn.lanes}') == "$lanes" ]] || fail "nothing was restored"
  # The nodes were told other lanes by a generation of which the garden knows nothing any more.
  until_ok 150 eval '(($(applied_generation) > generation))' || fail "$(k -n demo get shoot one -o jsonpath='{.status.conditions}')"
  until_ok 90 eval '[[ $(condition one EveryNodeReady)$(condition one ControlPlaneHealthy)$(condition one SystemComponentsHealthy) == TrueTrueTrue ]]' || fail "$(k -n demo get shoot one -o yaml)"
  authorities | diff "$WORK/authorities.before" - || fail "other credentials were made"
  [[ $(s get nodes --no-headers | wc -l) == 1 && $(compgen -G "$RIG/machines/m*" | wc -l) == 1 ]] || fail "$(s get nodes) $(ls "$RIG/machines")"
  [[ $(s logs web) == up ]] || fail "no logs"
}

# rotation_step: that which is not in force everywhere yet; empty where there is none
rotation_step() { k -n shoot--demo--one get configmap tendril-flow -o jsonpath='{.data.records\.json}' | python3 -c 'import json,sys; r = json.load(sys.stdin).get("rotation") or {"isInForce": True}; print("" if r["isInForce"] else r["step"])'; }
# kill_at_steps FILE: the coordinator is killed in the middle of every step of a rotation, which FILE then names
kill_at_steps() {
  local step; : >"$1"
  while sleep 0.5; do
    step=$(rotation_step 2>/dev/null) || continue
    [[ -n $step ]] && ! grep -qx "$step" "$1" || continue
    sleep 1
    "$HERE/machine.sh" sh seed sh -c 'kill -KILL $(pgrep -f "^[^ ]*tendril-coordinator run ")' && echo "$step" >>"$1"
  done
}

shoot_rotate() { # all CAs and keys are exchanged in two halves, the coordinator is killed in every step: nodes, pods and links stay, old kubeconfigs work until it is completed
  local uid node old killer; uid=$(s get pod web -o jsonpath='{.metadata.uid}{.status.containerStatuses[0].containerID}'); node=$(s get nodes -o jsonpath='{.items[0].metadata.uid}')
  old=$WORK/old-kubeconfig; cp "$WORK/kubeconfig" "$old"
  authorities >"$WORK/authorities.0"
  k -n shoot--demo--one get secret node-signing-key -o jsonpath='{.data.private\.pem}' | base64 -d >"$WORK/old-signing.pem"
  s create secret generic keepsake --from-literal=a=b >/dev/null
  k -n demo annotate shoot one tendril.dev/operation=rotate-complete >/dev/null
  until_ok 20 eval 'k -n demo get events | seen "OperationRefused.*no rotation is prepared"' || fail "given up before there is another: $(k -n demo get events | tail -3)"
  kill_at_steps "$WORK/killed" & killer=$!; trap "kill $killer 2>/dev/null || true" EXIT
  k -n demo annotate shoot one tendril.dev/operation=rotate-start >/dev/null
  until_ok 300 rotation Prepared || fail "$(k -n demo get shoot one -o jsonpath='{.status}')"
  authorities >"$WORK/authorities.1"
  local name
  for name in ca-client ca-kubelet ca-front-proxy ca-etcd ca-vpn service-account-key etcd-encryption-key vpn-gate-key node-signing-key; do grep -q "^$name 1 0 " "$WORK/authorities.1" || fail "$name: $(<"$WORK/authorities.1")"; done
  grep -q "^ca 0 1 " "$WORK/authorities.1" || fail "people who have not moved are left out: $(<"$WORK/authorities.1")"
  # The machine's certificates are of the new CAs, those of the kubelet too, and nobody but it was told.
  local m; m=$(s get nodes -o jsonpath='{.items[0].metadata.name}')
  issued_by "$m" /var/lib/tendril/agent.pem ca-vpn; issued_by "$m" /var/lib/tendril/tunnel.pem ca-vpn
  issued_by "$m" /var/lib/kubelet/pki/kubelet-client-current.pem ca-client; issued_by "$m" /var/lib/kubelet/pki/kubelet-server-current.pem ca-kubelet
  with "$old" get nodes >/dev/null || fail "an old kubeconfig is refused before the rotation is completed"
  access one; [[ $(s logs web) == up ]] || fail "no logs with the new kubeconfig"
  k -n demo annotate shoot one tendril.dev/operation=rotate-complete >/dev/null
  until_ok 300 rotation Completed || fail "$(k -n demo get shoot one -o jsonpath='{.status}')"
  kill "$killer"; [[ $(sort "$WORK/killed" | tr '\n' ' ') == "introduced moved served settled " ]] || fail "it was not killed in every step: $(<"$WORK/killed")"
  authorities >"$WORK/authorities.2"
  ! grep -v " 1 - " "$WORK/authorities.2" || fail "something old is left"
  [[ $(cut -d' ' -f4 "$WORK/authorities.0" "$WORK/authorities.2" | sort -u | wc -l) == 20 ]] || fail "something was kept"
  ! with "$old" get nodes >/dev/null 2>&1 || fail "an old kubeconfig still works"
  access one; [[ $(s logs web) == up ]] || fail "no logs after the rotation"
  [[ $(s get secret keepsake -o jsonpath='{.data.a}' | base64 -d) == b ]] || fail "a Secret cannot be read any more"
  [[ $(s get pod web -o jsonpath='{.metadata.uid}{.status.containerStatuses[0].containerID}') == "$uid" ]] || fail "the pod was restarted"
  [[ $(s get nodes -o jsonpath='{.items[0].metadata.uid}') == "$node" ]] || fail "the node was replaced"
  # Who has kept the old signing key tells nodes nothing any more.
  local secret; secret=$(s -n kube-system get cm tendril-node-worker -o jsonpath='{.data.secret}')
  s -n kube-system get secret "$secret" -o jsonpath='{.data.node\.json}' | base64 -d | python3 -c 'import json,sys; d=json.load(sys.stdin); d["metadata"]["generation"]+=1; json.dump(d,sys.stdout)' >"$WORK/forged.json"
  openssl pkeyutl -sign -inkey "$WORK/old-signing.pem" -rawin -in "$WORK/forged.json" -out "$WORK/forged.sig"
  s -n kube-system patch secret "$secret" --type=merge -p "{\"data\":{\"node.json\":\"$(base64 -w0 <"$WORK/forged.json")\",\"signature\":\"$(base64 -w0 "$WORK/forged.sig" | base64 -w0)\"}}" >/dev/null
  s -n kube-system annotate cm tendril-node-worker touched=1 >/dev/null
  until_ok 30 eval '[[ $(t node status one || true) == *"signed by none of the keys"* ]]' || fail "$(t node status one)"
  # A machine that has leave to restart keeps it while all is made again.
  s -n kube-system patch lease tendril-restart-9 --type=merge -p '{"spec":{"holderIdentity":"somebody"}}' >/dev/null
  k -n demo annotate shoot one tendril.dev/operation=reconcile >/dev/null
  until_ok 60 t node status one || fail "$(t node status one)"
  # Without its record the coordinator finds the credentials that are in use, and makes no others.
  k -n shoot--demo--one delete configmap tendril-flow >/dev/null
  k -n demo annotate shoot one tendril.dev/operation=reconcile >/dev/null
  until_ok 120 eval 'k -n shoot--demo--one get configmap tendril-flow && rotation Completed && [[ $(shoot_status one lastOperation.state) == Succeeded ]]' || fail "$(k -n demo get shoot one -o jsonpath='{.status}')"
  authorities | diff "$WORK/authorities.2" - || fail "other credentials were made"
  [[ $(s -n kube-system get lease tendril-restart-9 -o jsonpath='{.spec.holderIdentity}') == somebody ]] || fail "leave to restart was taken away"
  # A pod that was there all the time speaks to the API server: its token is of the new key, and it finds the new CA.
  until_ok 150 site_asks || fail "$(site_asks 2>&1 | tail -2)"
}

shoot_hibernate() { # a cluster sleeps: no machines, no pods, its data stays; it wakes up with what it had
  s create configmap keepsake --from-literal=a=b >/dev/null
  change '{"spec":{"hibernation":{"enabled":true}}}'
  until_ok 150 succeeded one Hibernate || fail "$(k -n demo get shoot one -o yaml)"
  [[ -z $(k -n shoot--demo--one get pods --no-headers 2>/dev/null | grep -v Terminating) ]] || fail "$(k -n shoot--demo--one get pods)"
  [[ $(compgen -G "$RIG/machines/m*") == "" ]] || fail "a machine is left"
  change '{"spec":{"hibernation":{"enabled":false}}}'
  until_ok 200 succeeded one Reconcile || fail "$(k -n demo get shoot one -o yaml)"
  access one
  [[ $(s get configmap keepsake -o jsonpath='{.data.a}') == b ]] || fail "the data is gone"
  until_ok 60 nodes_ready 1 || fail "$(s get nodes)"
}

# forget_silent_seed: what `create` made for the scenario is taken away, whether that runs or not
forget_silent_seed() { k -n demo delete shoot away --ignore-not-found >/dev/null; k delete seed far --ignore-not-found >/dev/null; }
shoot_silent_seed() { # of a seed that is not heard of, and of its shoots, it is said that nobody knows
  until_ok 150 eval '[[ $(condition away APIServerAvailable)$(condition away EveryNodeReady) == UnknownUnknown ]]' || fail "$(k -n demo get shoot away -o yaml)"
  [[ $(k get seed far -o jsonpath='{.status.conditions[0].status}') == Unknown ]] || fail "$(k get seed far -o yaml)"
  [[ $(k get seed here -o jsonpath='{.status.conditions[0].status}')$(condition one APIServerAvailable) == TrueTrue ]] || fail "the others suffer"
  forget_silent_seed
}
