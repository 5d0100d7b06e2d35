# shellcheck shell=bash
# The end.

shoot_delete() { # only with a confirmation; then nothing is left
  k -n demo delete shoot one --wait=false >/dev/null
  until_ok 15 eval '[[ $(shoot_status one lastOperation.description) == *confirmation.tendril.dev/deletion=true* ]]' || fail "$(shoot_status one lastOperation)"
  k -n shoot--demo--one get deployment kube-apiserver >/dev/null || fail "it is gone without a confirmation"
  # A webhook that refuses everything is no hindrance; what nobody takes away is told by name, and holds nothing up for ever.
  access one
  s apply -f - >/dev/null <<YAML
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop, finalizers: [example.com/stuck]}
spec: {type: LoadBalancer, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: gone, namespace: shop}
spec: {type: LoadBalancer, ports: [{port: 80}]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: shop}
spec: {storageClassName: none, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: nothing-goes}
webhooks:
  - name: nothing-goes.example.com
    clientConfig: {url: "https://127.0.0.1:9/"}
    rules: [{apiGroups: ["*"], apiVersions: ["*"], resources: ["*"], operations: [DELETE]}]
    failurePolicy: Fail
    timeoutSeconds: 1
    sideEffects: None
    admissionReviewVersions: [v1]
YAML
  k -n demo annotate shoot one confirmation.tendril.dev/deletion=true tendril.dev/clean-up-minutes=1 >/dev/null
  until_ok 60 eval '[[ $(shoot_status one lastOperation.description) == *"load balancers and volumes"* ]]' || fail "$(shoot_status one lastOperation)"
  until_ok 260 eval '! k -n demo get shoot one' || fail "$(k -n demo get shoot one -o yaml)"
  local left; left=$(k -n demo get events --field-selector reason=CloudObjectsLeft -o jsonpath='{.items[*].message}')
  [[ $left == *"Service shop/web"* && $left != *shop/gone* && $left != *shop/data* ]] || fail "what is told: $left"
  ! k get namespace shoot--demo--one 2>/dev/null || fail "the namespace is left"
  until_ok 30 eval '[[ -z $(compgen -G "$RIG/machines/m*") ]]' || fail "a machine is left"
  ! k -n demo get secret one.kubeconfig 2>/dev/null || fail "the kubeconfig is left"
}

shoot_never_made() { # one that cannot be made is deleted as well
  k apply -f - >/dev/null <<YAML
apiVersion: tendril.dev/v1alpha1
kind: Shoot
metadata: {name: two, namespace: demo, annotations: {confirmation.tendril.dev/deletion: "true"}}
spec:
  seedName: here
  kubernetes: {version: $KUBERNETES_VERSION}
  networking: {pods: 10.97.0.0/16}
  provider: {type: local}
  workers: [{name: worker, image: no-such-image}]
YAML
  until_ok 15 eval '[[ $(shoot_status two lastOperation.state) == Failed ]]' || fail "$(k -n demo get shoot two -o yaml)"
  [[ $(shoot_status two lastErrors) == *ERR_CONFIGURATION_PROBLEM* && $(shoot_status two lastErrors) == *"overlaps the seed"* && $(shoot_status two lastErrors) == *no-such-image* ]] || fail "$(shoot_status two lastErrors)"
  k -n demo delete shoot two --timeout=$((30 * PATIENCE))s >/dev/null || fail "$(k -n demo get shoot two -o yaml)"
}

# placed: which of them have a seed
placed() { local i; for i in "$@"; do [[ -z $(k -n demo get shoot "$i" -o jsonpath='{.spec.seedName}') ]] || echo "$i"; done; }
shoot_no_room() { # shoots that no seed takes say why; where there is room for one, one of three gets it
  local i names=(three four five) chosen hosted
  for i in $(k get seeds -o name); do k patch "$i" --type=merge -p '{"spec":{"unschedulable":true}}' >/dev/null; done
  for i in "${names[@]}"; do
    printf '%s\n' --- 'apiVersion: tendril.dev/v1alpha1' 'kind: Shoot' "metadata: {name: $i, namespace: demo, annotations: {confirmation.tendril.dev/deletion: 'true'}}" \
      "spec: {kubernetes: {version: $KUBERNETES_VERSION}, provider: {type: local}, workers: [{name: worker, minimum: 0}]}"
  done | k apply -f - >/dev/null
  for i in "${names[@]}"; do until_ok 15 eval '[[ $(shoot_status $i lastErrors) == *ERR_UNSCHEDULED*"takes no new shoots"* ]]' || fail "$(shoot_status $i lastOperation)"; done
  [[ -z $(placed "${names[@]}") ]] || fail "one has a seed"
  hosted=$(k get shoots -A -o jsonpath='{range .items[*]}{.spec.seedName}{"\n"}{end}' | grep -c '^here$' || true)
  k patch seed here --type=merge -p "{\"spec\":{\"unschedulable\":false,\"capacity\":$((hosted + 1))}}" >/dev/null
  for i in "${names[@]}"; do k -n demo annotate shoot "$i" tendril.dev/operation=retry >/dev/null; done
  until_ok 20 eval '[[ -n $(placed "${names[@]}") ]]' || fail "none has a seed: $(told)"
  chosen=$(placed "${names[@]}")
  for i in "${names[@]}"; do
    [[ $i == "$chosen" ]] || until_ok 20 eval '[[ $(shoot_status $i lastErrors) == *ERR_UNSCHEDULED*"full with $((hosted + 1)) shoots"* ]]' || fail "$(shoot_status $i lastOperation)"
  done
  [[ $(placed "${names[@]}") == "$chosen" ]] || fail "more than one: $(placed "${names[@]}")"
  for i in "${names[@]}"; do [[ $i == "$chosen" ]] || k -n demo delete shoot "$i" --timeout=$((10 * PATIENCE))s >/dev/null || fail "$i was not touched, and does not go"; done
  until_ok 120 succeeded "$chosen" Create || fail "$(k -n demo get shoot "$chosen" -o yaml)"
  [[ $(k get seed here -o jsonpath='{.status.conditions[0].type}={.status.conditions[0].status}') == Ready=True ]] || fail "$(k get seed here -o yaml)"
  k -n demo delete shoot "$chosen" --timeout=$((120 * PATIENCE))s >/dev/null || fail "$(k -n demo get shoot "$chosen" -o yaml)"
  k patch seed here --type=merge -p '{"spec":{"capacity":200}}' >/dev/null
}

# whole: commands that are about no project
whole() { in_ns op env KUBECONFIG="$PKI/admin.kubeconfig" "$TENDRIL" "$@"; }
shoot_down() { # what `tendril up` made is taken away again, to the last right; before that it can be said again, and changes
  local code=0 before after
  forget_silent_seed
  if [[ -e $RIG/run/coordinator-third.pid ]]; then
    until_ok 180 eval '[[ -z $(k get shoots -A -o name) ]]' || fail "shoots of the other seed are left: $(k get shoots -A)"
    stop coordinator-third; k delete seed other >/dev/null
  fi
  # A scenario may have changed its configuration: that is taken back first.
  whole up --seed "$RIG/overlay/seed.yaml" --config "$RIG/overlay/coordinator.yaml" >/dev/null || fail "it cannot be said again"
  before=$(k -n tendril-system get deployment tendril-coordinator -o jsonpath='{.metadata.generation}')
  whole up --seed "$RIG/overlay/seed.yaml" --config "$RIG/overlay/coordinator.yaml" >/dev/null || fail "a third time it cannot be said"
  after=$(k -n tendril-system get deployment tendril-coordinator -o jsonpath='{.metadata.generation}')
  [[ $after == "$before" ]] || fail "the same said again started the coordinator anew: $before, $after"
  sed 's/^seed: here/seed: there/' "$RIG/overlay/coordinator.yaml" >"$WORK/other.yaml"
  whole up --seed "$RIG/overlay/seed.yaml" --config "$WORK/other.yaml" 2>"$WORK/error" || code=$?
  [[ $code == 78 ]] && grep -q "seed: is there, and the Seed's name is here" "$WORK/error" || fail "$code: $(<"$WORK/error")"
  diff <(k kustomize "$HERE/../../../deploy/coordinator" | grep "^kind:" | sort) <(printf 'kind: %s\n' ClusterRole{,Binding}{,} Deployment Namespace PriorityClass Role RoleBinding ServiceAccount | sort) || fail "deploy/ holds something else"
  k -n demo create -f - >/dev/null <<YAML
apiVersion: tendril.dev/v1alpha1
kind: Shoot
metadata: {name: last, namespace: demo, annotations: {tendril.dev/pause: "true"}}
spec: {seedName: here, kubernetes: {version: $KUBERNETES_VERSION}, provider: {type: local}, workers: [{name: worker}]}
YAML
  code=0; whole down --seed here 2>"$WORK/error" || code=$?
  [[ $code == 78 ]] && grep -q "has 1 shoots.*demo/last" "$WORK/error" || fail "$code: $(<"$WORK/error")"
  # A name that is mistyped takes nobody's coordinator away, and neither does another Seed.
  code=0; whole down --seed heer 2>"$WORK/error" || code=$?
  [[ $code == 78 ]] && grep -q "is heer, and the coordinator of this cluster takes care of here" "$WORK/error" || fail "$code: $(<"$WORK/error")"
  sed 's/name: here/name: there/' "$RIG/overlay/seed.yaml" >"$WORK/there.yaml"
  code=0; whole up --seed "$WORK/there.yaml" --config "$WORK/other.yaml" 2>"$WORK/error" || code=$?
  [[ $code == 78 ]] && grep -q "metadata.name: is there, and .* takes care of here, which has 1 shoots" "$WORK/error" || fail "$code: $(<"$WORK/error")"
  k -n demo delete shoot last --timeout=$((20 * PATIENCE))s >/dev/null
  ours() { k get crds,clusterroles,clusterrolebindings,namespaces,priorityclasses,validatingwebhookconfigurations -o name | grep tendril; }
  whole down --seed here >/dev/null || fail "it is not taken away"
  [[ -z $(ours) ]] || fail "$(ours)"
  whole down --seed here >/dev/null || fail "a second time it cannot be said"
}
