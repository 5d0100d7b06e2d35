# What the rig needs of Tendril itself. Source it after lib.sh. Programs: $TENDRIL_AGENT, $TENDRIL_COORDINATOR.
WORK=$RIG/tendril
CLUSTER=shoot--rig--one
mkdir -p "$WORK"

coordinator() { "$TENDRIL_COORDINATOR" "$@"; }

# tendril_up: definitions and roles, a signing key, the pool's first configuration, the approver
tendril_up() {
  coordinator manifests bootstrap --server https://$CONTROL_PLANE:6443 --ca "$PKI/cluster-ca.crt" | kubectl apply -f - >/dev/null
  [[ -e $WORK/signing.key ]] || coordinator signing-key --out "$WORK/signing.key" >"$WORK/signing.pub"
  of_release "$HERE/node-configuration.yaml" >"$WORK/node-configuration.yaml"; publish "$WORK/node-configuration.yaml"
  approver_up
}
approver_up() {
  start approver ip netns exec "$RIG_NAME-cp" "$TENDRIL_COORDINATOR" approver --kubeconfig "$PKI/admin.kubeconfig" --cluster $CLUSTER \
    --ca-certificate "$PKI/agents-ca.crt" --ca-key "$PKI/agents-ca.key" --node-network $NET.0/24 --node-network $NET6::/64 \
    --metrics $CONTROL_PLANE:8133 --log-level debug
}
# publish FILE: a configuration is signed and becomes the pool's
publish() { coordinator manifests node-configuration --config "$1" --signing-key "$WORK/signing.key" | kubectl apply -f - >/dev/null; }

# token NAME [FLAG...]: makes a token and keeps its text in $WORK/NAME.token
token() {
  local name=$1; shift
  rm -f "$WORK/$name.token"
  coordinator manifests token --pool worker --token-file "$WORK/$name.token" "$@" | kubectl apply -f - >/dev/null
}
# user_data NAME [LINE...]: user data for a machine with the token NAME, in $WORK/NAME.userdata; LINEs go into the agent's part;
# $PROGRAM says where the agent comes from, if it is not in the image
user_data() {
  local name=$1 line; shift
  {
    echo "apiVersion: agent.tendril.dev/v1alpha1"
    echo "kind: UserData"
    echo "token: $(<"$WORK/$name.token")"
    echo "program: ${PROGRAM:-{baked: true\}}"
    echo "agent:"
    echo "  apiVersion: agent.tendril.dev/v1alpha1"
    echo "  kind: AgentConfiguration"
    echo "  cluster: $CLUSTER"
    echo "  pool: worker"
    echo "  configurationKeys: ['$(<"$WORK/signing.pub")']"
    echo "  logLevel: debug"
    for line in "$@"; do echo "  $line"; done
    [[ "$*" == *apiServers* ]] || echo "  apiServers: ['https://$CONTROL_PLANE:6443']"
    if [[ "$*" != *certificateAuthority* ]]; then echo "  certificateAuthority: |"; sed 's/^/    /' "$PKI/cluster-ca.crt"; fi
  } >"$WORK/$name.yaml"
  "$TENDRIL_AGENT" user-data --config "$WORK/$name.yaml" --out "$WORK/$name.userdata" --force
}
# downloads_up: serves the agent and a tool to machines, which believe the cluster's CA for that: $WORK/downloads
downloads_up() {
  mkdir -p "$WORK/downloads"
  cp "$TENDRIL_AGENT" "$WORK/downloads/tendril-agent"; printf '#!/bin/sh\necho tool\n' >"$WORK/downloads/tool"
  start downloads ip netns exec "$RIG_NAME-cp" "$HERE/downloads.py" $CONTROL_PLANE 8443 "$PKI/apiserver.crt" "$PKI/apiserver.key" "$WORK/downloads"
  until_ok 10 in_ns cp curl -fsS --cacert "$PKI/cluster-ca.crt" -o /dev/null https://$CONTROL_PLANE:8443/v2/
}
# machine_files: what the image of the rig's machines holds besides Debian: the agent, and pause images
machine_files() {
  local files=$WORK/files
  # Machines believe who serves downloads here as they believe public authorities.
  mkdir -p "$files/etc/ssl/certs" "$WORK/bare/etc/ssl"
  cat "$ROOTFS/etc/ssl/certs/ca-certificates.crt" "$PKI/cluster-ca.crt" >"$files/etc/ssl/certs/ca-certificates.crt"
  cp -r "$files/etc/ssl/certs" "$WORK/bare/etc/ssl/"
  mkdir -p "$files/usr/bin" "$files/etc/systemd/system/multi-user.target.wants"
  cp "$TENDRIL_AGENT" "$files/usr/bin/tendril-agent"
  # The images of pods cannot be pulled here; an image that is baked has them in containerd's store.
  cat >"$files/etc/systemd/system/rig-images.service" <<'UNIT'
[Unit]
After=containerd.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'for i in pause busybox server; do ctr -n k8s.io images import /opt/rig/images/$i.tar; done'
Restart=on-failure
RestartSec=1
[Install]
WantedBy=multi-user.target
UNIT
  ln -sf ../rig-images.service "$files/etc/systemd/system/multi-user.target.wants/"
  export MACHINE_FILES=$files
}
