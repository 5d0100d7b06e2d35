#!/usr/bin/env bash
# seed.sh up|machines|down|sh COMMAND...|usage: a seed on this machine, which is its own garden: one machine whose kubelet runs the
# seed's control plane as static pods, and the coordinator in it; `machines` is what a cloud's scaling groups are elsewhere.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
PKI=$RIG/seed-pki CONTROL_PLANE=$NET.21 SERVICES=10.97 SEED_PODS=10.245.0.0
. "$HERE/pki.sh"
k() { kubectl_at op "$PKI/admin.kubeconfig" "$@"; }
PARTS=(etcd kube-apiserver kube-controller-manager kube-scheduler)

# pod NAME FLAG...: a static pod in the machine's own network
pod() {
  local tag=v$KUBERNETES_VERSION; [[ $1 != etcd ]] || tag=$ETCD_TAG
  python3 - "$tag" "$@" <<'PY'
import json, sys
tag, name, *flags = sys.argv[1:]
mounts = [("pki", "/pki", "/etc/kubernetes/pki"), ("data", "/data", "/var/lib/seed"), ("volumes", "/tmp/hostpath_pv", "/tmp/hostpath_pv")]
print(json.dumps({
    "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "kube-system", "labels": {"component": name}},
    "spec": {
        "hostNetwork": True, "priorityClassName": "system-node-critical",
        "containers": [{
            "name": name, "image": f"rig.invalid/{name}:{tag}", "imagePullPolicy": "Never", "command": [name, *flags],
            "volumeMounts": [{"name": n, "mountPath": m} for n, m, _ in mounts],
        }],
        "volumes": [{"name": n, "hostPath": {"path": h, "type": "DirectoryOrCreate"}} for n, _, h in mounts],
    },
}))
PY
}

control_plane() { # DIRECTORY: the manifests
  local p=/pki c
  pod etcd --name=default --data-dir=/data/etcd --listen-client-urls=https://127.0.0.1:2379 --advertise-client-urls=https://127.0.0.1:2379 \
    --listen-peer-urls=http://127.0.0.1:2380 --initial-advertise-peer-urls=http://127.0.0.1:2380 --initial-cluster=default=http://127.0.0.1:2380 \
    --client-cert-auth --trusted-ca-file=$p/etcd-ca.crt --cert-file=$p/etcd-server.crt --key-file=$p/etcd-server.key --unsafe-no-fsync >"$1/etcd.json"
  pod kube-apiserver --etcd-servers=https://127.0.0.1:2379 --etcd-cafile=$p/etcd-ca.crt --etcd-certfile=$p/etcd-client.crt --etcd-keyfile=$p/etcd-client.key \
    --advertise-address=$CONTROL_PLANE --secure-port=6443 --allow-privileged=true --service-cluster-ip-range=$SERVICES.0.0/16 \
    --client-ca-file=$p/cluster-ca.crt --tls-cert-file=$p/apiserver.crt --tls-private-key-file=$p/apiserver.key \
    --kubelet-client-certificate=$p/kubelet-client.crt --kubelet-client-key=$p/kubelet-client.key --kubelet-preferred-address-types=InternalIP \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --enable-bootstrap-token-auth=true \
    --service-account-issuer=https://kubernetes.default.svc --service-account-key-file=$p/sa.pub --service-account-signing-key-file=$p/sa.key \
    --requestheader-client-ca-file=$p/front-proxy-ca.crt --requestheader-allowed-names=front-proxy --requestheader-extra-headers-prefix=X-Remote-Extra- \
    --requestheader-group-headers=X-Remote-Group --requestheader-username-headers=X-Remote-User \
    --proxy-client-cert-file=$p/front-proxy.crt --proxy-client-key-file=$p/front-proxy.key --profiling=false >"$1/kube-apiserver.json"
  c=$p/kube-controller-manager.kubeconfig
  pod kube-controller-manager --kubeconfig=$c --authentication-kubeconfig=$c --authorization-kubeconfig=$c --leader-elect=false \
    --authentication-tolerate-lookup-failure=true --use-service-account-credentials=true --service-account-private-key-file=$p/sa.key --root-ca-file=$p/cluster-ca.crt \
    --cluster-signing-cert-file=$p/cluster-ca.crt --cluster-signing-key-file=$p/cluster-ca.key \
    --service-cluster-ip-range=$SERVICES.0.0/16 >"$1/kube-controller-manager.json"
  c=$p/kube-scheduler.kubeconfig
  pod kube-scheduler --kubeconfig=$c --authentication-kubeconfig=$c --authorization-kubeconfig=$c --leader-elect=false >"$1/kube-scheduler.json"
}

# user_data: containerd, a kubelet with the certificates of its own cluster, kube-proxy
user_data() {
  cat <<YAML
#cloud-config
runcmd:
- [sh, -c, "systemctl restart containerd; for i in /opt/rig/images/*.tar /opt/tendril/images/*.tar; do ctr -n k8s.io images import \$i; done; $(also_next kube-apiserver kube-controller-manager kube-scheduler)"]
- [systemctl, daemon-reload]
- [systemctl, enable, --now, --no-block, kubelet, kube-proxy]
YAML
}
machine_files() { # DIRECTORY
  local d=$1
  mkdir -p "$d"/etc/{containerd,cni/net.d,kubernetes/manifests,kubernetes/pki,systemd/system} "$d/var/lib/kubelet-config"
  cp "$PKI"/*.{crt,key,pub,kubeconfig} "$d/etc/kubernetes/pki/"
  control_plane "$d/etc/kubernetes/manifests"
  mkdir -p "$d/opt/tendril"
  "$HERE/../../../packaging/images.sh" "$(dirname "$TENDRIL_COORDINATOR")" "$d/opt/tendril/images" rig.invalid >/dev/null
  echo "nameserver 127.0.0.1" >"$d/etc/resolv.conf"
  cat >"$d/etc/containerd/config.toml" <<'TOML'
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "rig.invalid/pause:1"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
TOML
  cat >"$d/etc/cni/net.d/10-seed.conflist" <<JSON
{"cniVersion": "0.4.0", "name": "seed", "plugins": [
  {"type": "ptp", "ipMasq": true, "ipam": {"type": "host-local", "ranges": [[{"subnet": "$SEED_PODS/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
JSON
  # What differs between releases of the kubelet; the product has KubeletTraits for it.
  local socket=unix:///run/containerd/containerd.sock flags=() fields=
  since 24 || flags+=(--container-runtime=remote --network-plugin=cni)
  if since 27; then fields+=", \"containerRuntimeEndpoint\": \"$socket\""; else flags+=(--container-runtime-endpoint=$socket); fi
  ! since 31 || fields+=', "failCgroupV1": false'
  cat >"$d/etc/kubernetes/kubelet.json" <<JSON
{"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration", "staticPodPath": "/etc/kubernetes/manifests", "cgroupDriver": "cgroupfs", "cgroupRoot": "/",
 "failSwapOn": false, "enforceNodeAllocatable": ["pods"], "clusterDNS": ["$SERVICES.0.10"], "tlsCertFile": "/etc/kubernetes/pki/seed-kubelet.crt",
 "tlsPrivateKeyFile": "/etc/kubernetes/pki/seed-kubelet.key", "authentication": {"anonymous": {"enabled": false}, "x509": {"clientCAFile": "/etc/kubernetes/pki/cluster-ca.crt"}},
 "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%", "nodefs.inodesFree": "1%"}, "imageGCHighThresholdPercent": 100,
 "nodeStatusUpdateFrequency": "4s", "maxPods": 500, "serializeImagePulls": false$fields}
JSON
  unit() { printf '[Unit]\nAfter=containerd.service\n[Service]\nEnvironment=AWS_EC2_METADATA_DISABLED=true\nExecStart=%s\nRestart=always\nRestartSec=1\nKillMode=process\n[Install]\nWantedBy=multi-user.target\n' "$*"; }
  unit /opt/kubernetes/bin/kubelet --config=/etc/kubernetes/kubelet.json --kubeconfig=/etc/kubernetes/pki/seed-node.kubeconfig --hostname-override=seed \
    "${flags[@]}" >"$d/etc/systemd/system/kubelet.service"
  unit /opt/kubernetes/bin/kube-proxy --kubeconfig=/etc/kubernetes/pki/kube-proxy.kubeconfig --proxy-mode=iptables --cluster-cidr=$SEED_PODS/16 --hostname-override=seed \
    --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0s --conntrack-tcp-timeout-close-wait=0s >"$d/etc/systemd/system/kube-proxy.service"
}

# volumes: what a cloud's storage is elsewhere; a host path below /tmp is emptied by Kubernetes itself
volumes() {
  local i
  for i in {1..8}; do
    "$HERE/machine.sh" sh seed sh -c "mkdir -p /tmp/hostpath_pv/$i; chmod 777 /tmp/hostpath_pv /tmp/hostpath_pv/$i"
    printf '%s\n' --- 'apiVersion: v1' 'kind: PersistentVolume' "metadata: {name: volume-$i}" \
      "spec: {storageClassName: host-path, accessModes: [ReadWriteOnce], capacity: {storage: 20Gi}, persistentVolumeReclaimPolicy: Delete, hostPath: {path: /tmp/hostpath_pv/$i}}"
  done | k apply -f - >/dev/null
}

up() {
  local t d=$RIG/seed-files; t=$(now)
  mkdir -p "$PKI"; switch_up; port op 250
  pki
  leaf cluster seed-node /O=system:nodes/CN=system:node:seed; kubeconfig seed-node
  leaf cluster seed-kubelet /CN=seed "IP:$CONTROL_PLANE,DNS:seed"
  leaf cluster kube-proxy /CN=system:kube-proxy; kubeconfig kube-proxy
  rm -rf "$d"; machine_files "$d"; user_data >"$RIG/seed.userdata"
  MACHINE_FILES=$d "$HERE/machine.sh" up seed 21 "$RIG/seed.userdata"
  until_ok 180 k get --raw /readyz; say "seed: its API server answers after $(took "$t")s"
  k create clusterrolebinding rig-kubelet-api --clusterrole=system:kubelet-api-admin --user=kube-apiserver-kubelet-client >/dev/null
  until_ok 120 eval '[[ $(k get node seed -o jsonpath="{.status.conditions[?(@.type==\"Ready\")].status}") == True ]]'
  volumes
  until_ok 60 k -n default get serviceaccount default
  say "seed: its node is ready after $(took "$t")s"
}

# worker_files: what the image of workers holds besides Debian: our programs, and the images of their pods
worker_files() {
  local files=$RIG/worker-files
  mkdir -p "$files/usr/bin" "$files/etc/systemd/system/multi-user.target.wants"
  cp "$TENDRIL_AGENT" "$files/usr/bin/tendril-agent"; cp "$TENDRIL_VPN" "$files/usr/bin/tendril-vpn"
  echo "nameserver 127.0.0.1" >"$files/etc/resolv.conf"
  mkdir -p "$files/opt/tendril"
  "$HERE/../../../packaging/images.sh" "$(dirname "$TENDRIL_COORDINATOR")" "$files/opt/tendril/images" rig.invalid >/dev/null
  rm "$files"/opt/tendril/images/tendril-{coordinator,vpn}.tar
  printf '[Unit]\nAfter=containerd.service\n[Service]\nType=oneshot\nRemainAfterExit=yes\nRestart=on-failure\nRestartSec=1\n%s\n[Install]\nWantedBy=multi-user.target\n' \
    "ExecStart=/bin/sh -c 'for i in pause kube-proxy busybox server; do ctr -n k8s.io images import /opt/rig/images/\$i.tar; done; $(also_next kube-proxy) ctr -n k8s.io images import /opt/tendril/images/tendril-agent.tar'" >"$files/etc/systemd/system/rig-images.service"
  ln -sf ../rig-images.service "$files/etc/systemd/system/multi-user.target.wants/"
}

# registration =|!=: of the webhook's objects those by which the API server asks, or the others
registration() { python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); d["items"]=[i for i in d["items"] if (i["kind"] == "ValidatingWebhookConfiguration") == (sys.argv[2] == "=")]; print(json.dumps(d))' "$RIG/overlay/webhook.json" "$1"; }

# coordinator_up: the coordinator with its Seed, and what the webhook of the scenario `webhook` needs but for its registration
coordinator_up() {
  local t; t=$(now)
  mkdir -p "$RIG/overlay"; of_release "$HERE/coordinator.yaml" >"$RIG/overlay/coordinator.yaml"
  cat >"$RIG/overlay/seed.yaml" <<YAML
apiVersion: tendril.dev/v1alpha1
kind: Seed
metadata: {name: here}
spec:
  networks: {pods: $SEED_PODS/16, services: $SERVICES.0.0/16, nodes: $NET.0/24}
  exposure: {type: NodePort, address: $CONTROL_PLANE}
  storageClassName: host-path
  priorityClassName: tendril-control-plane
YAML
  k apply -f "$HERE/../../../deploy/coordinator/namespace.yaml" >/dev/null
  "$TENDRIL_COORDINATOR" manifests webhook >"$RIG/overlay/webhook.json"
  registration "!=" | k apply -f - >/dev/null
  in_ns op "$TENDRIL" up --kubeconfig "$PKI/admin.kubeconfig" --seed "$RIG/overlay/seed.yaml" --config "$RIG/overlay/coordinator.yaml"
  say "seed: the coordinator runs after $(took "$t")s"
}

# machines: follows the groups that the coordinator writes: boots and ends machines on this host until it is told to stop
machines() {
  # `start` has given it a process group of its own.
  trap 'trap - TERM; kill 0' TERM
  mkdir -p "$RIG/groups"
  while read -r _; do
    # Changes that come together are looked at once.
    while read -r -t 0.1 _; do :; done
    until host; do sleep 1; done
  done < <(group_changes)
}
# group_changes: a line whenever a group has changed, or may have
group_changes() {
  while true; do
    k get secrets -A -l tendril.dev/machine-group --watch -o name 2>/dev/null || true
    sleep 1; echo anew
  done
}
# host: makes the machines of all groups what is wanted, once
host() {
  local name ns group desired prefix present leaving number wanted there
  k get secrets -A -l tendril.dev/machine-group -o json 2>/dev/null >"$RIG/groups/list.json" || return 1
  python3 - "$RIG/groups" <<'PY' >"$RIG/groups/list" || return 1
import base64, json, sys
for item in json.load(open(f"{sys.argv[1]}/list.json"))["items"]:
    m = item["metadata"]; a = m["annotations"]
    with open(f"{sys.argv[1]}/{m['namespace']}.{m['name']}.userdata", "wb") as out: out.write(base64.b64decode(item["data"]["user-data"]))
    print(m["namespace"], m["name"], a["tendril.dev/desired"], a["tendril.dev/name-prefix"], a.get("tendril.dev/present") or "-", a.get("tendril.dev/leaving") or "-")
PY
  while read -r ns group desired prefix present leaving; do
    # What is to end before any other goes first.
    if [[ $leaving == "$prefix"* && -d $RIG/machines/$leaving ]]; then "$HERE/machine.sh" down "$leaving"; say "  a machine ended: $leaving"; fi
    mapfile -t there < <(cd "$RIG/machines" && compgen -G "$prefix*" | sort)
    # A name is never used a second time: it belongs to the machine that had it.
    while ((${#there[@]} < desired)); do
      number=$(($(cat "$RIG/groups/count" 2>/dev/null || echo 29) + 1)); echo $number >"$RIG/groups/count"
      name=$prefix$number; there+=("$name")
      MACHINE_FILES=$RIG/worker-files "$HERE/machine.sh" up "$name" $((number % 200)) "$RIG/groups/$ns.$group.userdata"
      say "  a machine boots: $name"
    done
    while ((${#there[@]} > desired)); do
      name=${there[-1]}; unset 'there[-1]'
      "$HERE/machine.sh" down "$name"; say "  a machine ended: $name"
    done
    wanted=$(IFS=,; echo "${there[*]}")
    [[ ${present/#-/} == "$wanted" ]] || k -n "$ns" annotate secret "$group" --overwrite "tendril.dev/present=$wanted" >/dev/null 2>&1 || return 1
  done <"$RIG/groups/list"
}
[[ ${BASH_SOURCE[0]} != "$0" ]] || { cmd=$1; shift; "$cmd" "$@"; }
