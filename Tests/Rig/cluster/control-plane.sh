#!/usr/bin/env bash
# control-plane.sh up|down|restart-apiserver [FLAG...]|restart-controllers: etcd, kube-apiserver, kube-controller-manager and kube-scheduler
# as plain processes in the namespace "$RIG_NAME-cp", reachable at $CONTROL_PLANE:6443.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/pki.sh"

apiserver() {
  # Every request of an agent is written down: that is how they are counted.
  cat >"$RIG/audit-policy.yaml" <<'YAML'
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - {level: Metadata, userGroups: ["tendril:agents"]}
  - {level: None}
YAML
  start apiserver ip netns exec "$RIG_NAME-cp" "$KUBERNETES_BIN/kube-apiserver" \
    --etcd-servers=https://127.0.0.1:2379 --etcd-cafile="$PKI/etcd-ca.crt" --etcd-certfile="$PKI/etcd-client.crt" --etcd-keyfile="$PKI/etcd-client.key" \
    --advertise-address=$CONTROL_PLANE --bind-address=:: --secure-port=6443 --allow-privileged=true --service-cluster-ip-range=$SERVICES.0.0/16 \
    --client-ca-file="$PKI/client-ca.crt" --tls-cert-file="$PKI/apiserver.crt" --tls-private-key-file="$PKI/apiserver.key" \
    --kubelet-client-certificate="$PKI/kubelet-client.crt" --kubelet-client-key="$PKI/kubelet-client.key" --kubelet-certificate-authority="$PKI/cluster-ca.crt" \
    --kubelet-preferred-address-types=InternalIP --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --enable-bootstrap-token-auth=true \
    --service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$PKI/sa.pub" --service-account-signing-key-file="$PKI/sa.key" \
    --requestheader-client-ca-file="$PKI/front-proxy-ca.crt" --requestheader-allowed-names=front-proxy --requestheader-extra-headers-prefix=X-Remote-Extra- \
    --requestheader-group-headers=X-Remote-Group --requestheader-username-headers=X-Remote-User \
    --proxy-client-cert-file="$PKI/front-proxy.crt" --proxy-client-key-file="$PKI/front-proxy.key" --profiling=false \
    --audit-policy-file="$RIG/audit-policy.yaml" --audit-log-path="$RIG/log/audit.log" "$@"
}
controllers() {
  local f
  f=$PKI/kube-controller-manager.kubeconfig
  start kcm ip netns exec "$RIG_NAME-cp" "$KUBERNETES_BIN/kube-controller-manager" --kubeconfig="$f" --authentication-kubeconfig="$f" --authorization-kubeconfig="$f" \
    --bind-address=127.0.0.1 --leader-elect=false --controllers='*,bootstrapsigner,tokencleaner' --authentication-tolerate-lookup-failure=true \
    --use-service-account-credentials=true --service-account-private-key-file="$PKI/sa.key" --root-ca-file="$PKI/cluster-ca.crt" \
    --cluster-signing-cert-file="$PKI/cluster-ca.crt" --cluster-signing-key-file="$PKI/cluster-ca.key" --allocate-node-cidrs=true --cluster-cidr=10.244.0.0/16 \
    --service-cluster-ip-range=$SERVICES.0.0/16 --node-monitor-grace-period=20s
  f=$PKI/kube-scheduler.kubeconfig
  start scheduler ip netns exec "$RIG_NAME-cp" "$KUBERNETES_BIN/kube-scheduler" --kubeconfig="$f" --authentication-kubeconfig="$f" --authorization-kubeconfig="$f" \
    --bind-address=127.0.0.1 --leader-elect=false
}
up() {
  local t; t=$(now)
  switch_up; port cp 1; pki
  start etcd ip netns exec "$RIG_NAME-cp" "$ETCD_BIN/etcd" --name=default --data-dir="$RIG/etcd" --listen-client-urls=https://127.0.0.1:2379 --advertise-client-urls=https://127.0.0.1:2379 \
    --listen-peer-urls=http://127.0.0.1:2380 --initial-advertise-peer-urls=http://127.0.0.1:2380 --initial-cluster=default=http://127.0.0.1:2380 \
    --client-cert-auth --trusted-ca-file="$PKI/etcd-ca.crt" --cert-file="$PKI/etcd-server.crt" --key-file="$PKI/etcd-server.key" --unsafe-no-fsync
  apiserver
  until_ok 90 kubectl get --raw /readyz
  # Not earlier: kube-controller-manager exits while bootstrap RBAC is not written yet.
  controllers
  until_ok 60 kubectl -n default get serviceaccount default
  # The API server reads logs and runs commands through kubelets.
  kubectl create clusterrolebinding rig-kubelet-api --clusterrole=system:kubelet-api-admin --user=kube-apiserver-kubelet-client >/dev/null
  say "control plane up after $(took "$t")s"
}
restart-controllers() { stop kcm; stop scheduler; controllers; }
restart-apiserver() { stop apiserver; apiserver "$@"; until_ok 60 kubectl get --raw /readyz; }
down() { local c; for c in scheduler kcm apiserver etcd; do stop $c; done; rm -rf "$RIG/etcd"; unport cp; }
"$@"
