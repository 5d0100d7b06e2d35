# shellcheck shell=bash
# Snapshots of the shoot's etcd in a bucket, and the way back to one.

# store_seed SNAPSHOTS: what the Seed says of snapshots, once its coordinator has heard of it and has done it
store_seed() {
  k patch seed here --type=merge -p "{\"spec\":{\"snapshots\":$1}}" >/dev/null; sleep 21
  k -n demo annotate shoot one tendril.dev/operation=reconcile --overwrite >/dev/null
}

shoot_snapshots() { # a snapshot comes into a bucket by itself, and the cluster goes back to what it holds: what was removed is there, what was made is not, nodes stay
  python3 -c 'import moto.server, boto3' 2>/dev/null || { say "  left out, for this machine lacks: moto[server] and boto3 of PyPI"; return 0; }
  # By the release of Kubernetes the coordinator knows what etcd can.
  ! since 22 || ! "$ETCD_BIN/etcdctl" version | seen "version: 3.4" || { say "  left out, for ETCD_BIN is of an older release than this Kubernetes"; return 0; }
  local store=$NET.250 ns=shoot--demo--one made uid
  authority store; leaf store store /CN=store "IP:$store"
  ip -n "$RIG_NAME-op" route replace "$SEED_PODS/16" via $CONTROL_PLANE
  start store ip netns exec "$RIG_NAME-op" python3 -c "from moto.server import main
main(['-H', '$store', '-p', '9000', '-s', '-c', '$PKI/store.crt', '-k', '$PKI/store.key'])"
  until_ok 20 in_ns op python3 -c "import boto3
boto3.client('s3', endpoint_url='https://$store:9000', verify='$PKI/store-ca.crt', aws_access_key_id='test', aws_secret_access_key='test', region_name='us-east-1').create_bucket(Bucket='snapshots')" || fail "$(tail -5 "$RIG/log/store.log")"
  k -n tendril-system create secret generic snapshots --from-literal=accessKeyID=test --from-literal=secretAccessKey=canary-$$ --from-file=ca.crt="$PKI/store-ca.crt" >/dev/null
  store_seed "{\"intervalMinutes\":10,\"keep\":2,\"endpoint\":\"https://$store:9000\",\"region\":\"us-east-1\",\"bucket\":\"snapshots\",\"prefix\":\"rig\",\"secretName\":\"snapshots\"}"
  until_ok 60 k -n $ns get cronjob etcd-snapshot || fail "$(k -n demo get shoot one -o yaml)"
  s create configmap kept --from-literal=a=b >/dev/null
  s run stays --image=rig.invalid/busybox:1 --image-pull-policy=Never --restart=Never --command -- sh -c 'echo here; exec sleep 1000000' >/dev/null
  s wait --for=condition=Ready pod/stays "$TIMEOUT" >/dev/null
  uid=$(s get nodes -o jsonpath='{.items[0].metadata.uid}')
  # A late kubectl makes no Job of an early CronJob.
  k -n $ns get cronjob etcd-snapshot -o json | python3 -c 'import json, sys
print(json.dumps({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "now"}, "spec": json.load(sys.stdin)["spec"]["jobTemplate"]["spec"]}))' |
    k -n $ns create -f - >/dev/null
  k -n $ns wait --for=condition=complete job/now --timeout=60s >/dev/null || fail "$(k -n $ns logs job/now --all-containers)"
  made=$(basename "$(k -n $ns logs job/now -c upload)" .snapshot); k -n $ns delete job now >/dev/null
  s delete configmap kept >/dev/null; s create configmap forgotten >/dev/null
  # Without a yes nothing is done.
  ! t shoot restore one --snapshot "$made" >/dev/null 2>&1 || fail "it was done without a yes"
  t shoot restore one --snapshot "$made" --yes || fail "$(k -n $ns get pods,jobs; k -n demo get shoot one -o yaml)"
  [[ $(s get configmap kept -o jsonpath='{.data.a}') == b ]] || fail "what was removed is not back"
  ! s get configmap forgotten >/dev/null 2>&1 || fail "nothing was restored"
  until_ok 90 eval '[[ $(condition one EveryNodeReady)$(condition one ControlPlaneHealthy)$(condition one SystemComponentsHealthy) == TrueTrueTrue ]]' || fail "$(k -n demo get shoot one -o yaml)"
  [[ $(s get nodes -o jsonpath='{.items[*].metadata.uid}') == "$uid" && $(s logs stays) == here ]] || fail "$(s get nodes,pods)"
  s delete pod stays --now >/dev/null
  [[ $(shoot_status one restoration.phase) == Completed ]] || fail "$(shoot_status one restoration)"
  ! k -n tendril-system logs deployment/tendril-coordinator | seen "canary-$$" || fail "a credential is in the log"
  store_seed null
  until_ok 60 eval '! k -n shoot--demo--one get cronjob etcd-snapshot' || fail "$(k -n shoot--demo--one get cronjobs)"
  ! k -n $ns get secret snapshot-store >/dev/null 2>&1 || fail "the access key is still there"
  stop store
}
