# shellcheck shell=bash
# The end.

shoot_delete() { # only with a confirmation; then nothing is left
  k -n demo delete shoot one --wait=false >/dev/null
  until_ok 15 eval '[[ $(shoot_status one lastOperation.description) == *confirmation.tendril.dev/deletion=true* ]]' || fail "$(shoot_status one lastOperation)"
  k -n shoot--demo--one get deployment kube-apiserver >/dev/null || fail "it is gone without a confirmation"
  k -n demo annotate shoot one confirmation.tendril.dev/deletion=true >/dev/null
  until_ok 200 eval '! k -n demo get shoot one' || fail "$(k -n demo get shoot one -o yaml)"
  ! k get namespace shoot--demo--one 2>/dev/null || fail "the namespace is left"
  [[ $(compgen -G "$RIG/machines/m*") == "" ]] || fail "a machine is left"
  ! k -n demo get secret one.kubeconfig 2>/dev/null || fail "the kubeconfig is left"
}

shoot_never_made() { # one that cannot be made is deleted as well
  k apply -f - >/dev/null <<'YAML'
apiVersion: tendril.dev/v1alpha1
kind: Shoot
metadata: {name: two, namespace: demo, annotations: {confirmation.tendril.dev/deletion: "true"}}
spec:
  seedName: here
  kubernetes: {version: 1.20.2}
  networking: {pods: 10.97.0.0/16}
  provider: {type: local}
  workers: [{name: worker, image: no-such-image}]
YAML
  until_ok 15 eval '[[ $(shoot_status two lastOperation.state) == Failed ]]' || fail "$(k -n demo get shoot two -o yaml)"
  [[ $(shoot_status two lastErrors) == *ERR_CONFIGURATION_PROBLEM* && $(shoot_status two lastErrors) == *"overlaps the seed"* && $(shoot_status two lastErrors) == *no-such-image* ]] || fail "$(shoot_status two lastErrors)"
  k -n demo delete shoot two --timeout=30s >/dev/null || fail "$(k -n demo get shoot two -o yaml)"
}

shoot_no_room() { # a shoot that no seed takes says why, and gets one once there is room
  k patch seed here --type=merge -p '{"spec":{"unschedulable":true}}' >/dev/null
  k apply -f - >/dev/null <<'YAML'
apiVersion: tendril.dev/v1alpha1
kind: Shoot
metadata: {name: three, namespace: demo, annotations: {confirmation.tendril.dev/deletion: "true"}}
spec: {kubernetes: {version: 1.20.2}, provider: {type: local}, workers: [{name: worker, minimum: 0}]}
YAML
  until_ok 15 eval '[[ $(shoot_status three lastErrors) == *ERR_UNSCHEDULED*"takes no new shoots"* ]]' || fail "$(shoot_status three lastOperation)"
  [[ -z $(k -n demo get shoot three -o jsonpath='{.spec.seedName}') ]] || fail "it has a seed"
  k patch seed here --type=merge -p '{"spec":{"unschedulable":false}}' >/dev/null
  until_ok 120 succeeded three Create || fail "$(k -n demo get shoot three -o yaml)"
  [[ $(k get seed here -o jsonpath='{.status.conditions[0].type}={.status.conditions[0].status}') == Ready=True ]] || fail "$(k get seed here -o yaml)"
  k -n demo delete shoot three --timeout=120s >/dev/null || fail "$(k -n demo get shoot three -o yaml)"
}
