# shellcheck shell=bash
# The link: an API server without a route to its nodes, and pods without a route to their API server.

NODE_LOCAL=192.0.2.100 # where pods reach the API server, on every node
EGRESS=$RIG/run/egress.sock
vpn_status() { "$TENDRIL_VPN" status --socket "$RIG/run/vpn-server.sock" --output json 2>/dev/null; }
links_live() { [[ $(vpn_status | field linksLive) == "$1" ]]; }
vpn_server_up() {
  start vpn-server ip netns exec "$RIG_NAME-cp" setpriv --reuid=65534 --clear-groups "$TENDRIL_VPN" server --no-packets \
    --ca "$PKI/agents-ca.crt" --certificate "$WORK/vpn/server.crt" --key "$WORK/vpn/server.key" --gate-key "$WORK/vpn/gate.key" \
    --network $NET.0/24 --network 10.244.0.0/16 --network $SERVICES.0.0/16 --egress-socket "$EGRESS" --api-server $CONTROL_PLANE:6443 \
    --nodes-kubeconfig "$WORK/vpn/nodes.kubeconfig" --shared-network $SERVICES.0.0/16 --socket "$RIG/run/vpn-server.sock" --metrics $CONTROL_PLANE:8134 --log-level debug
}

scenario_link_up() { # the agent brings the tunnel client with its certificate; all nodes link to a server without privileges
  local g; g=$(($(latest) + 1))
  mkdir -p "$WORK/vpn"; chmod 755 "$RIG" "$RIG/run" "$WORK" "$WORK/vpn"; chmod 777 "$RIG/run"
  leaf agents vpn-server /CN=vpn-server "URI:spiffe://$CLUSTER/vpn/server/s1"
  "$TENDRIL_VPN" certificates --cluster $CLUSTER --out "$WORK/vpn/pki" >/dev/null
  cp "$PKI/vpn-server.crt" "$WORK/vpn/server.crt"; cp "$PKI/vpn-server.key" "$WORK/vpn/server.key"; cp "$WORK/vpn/pki/gate.key" "$WORK/vpn/gate.key"
  leaf cluster vpn-nodes /CN=vpn-nodes; kubeconfig vpn-nodes; cp "$PKI/vpn-nodes.kubeconfig" "$WORK/vpn/nodes.kubeconfig"
  kubectl create clusterrole vpn-nodes --verb=list,watch --resource=nodes >/dev/null
  kubectl create clusterrolebinding vpn-nodes --clusterrole=vpn-nodes --user=vpn-nodes >/dev/null
  chown -R 65534 "$WORK/vpn"; chmod 644 "$PKI/agents-ca.crt"; chmod 755 "$PKI"
  vpn_server_up
  kubectl -n kube-system create secret generic vpn-gate --from-file=key="$WORK/vpn/gate.key" >/dev/null
  local m; for m in w1 w3; do cp "$TENDRIL_VPN" "$RIG/machines/$m/root/usr/local/bin/tendril-vpn"; done
  python3 - "$PKI/agents-ca.crt" >"$WORK/link.json" <<PY
import json, sys
config = """apiVersion: vpn.tendril.dev/v1alpha1
kind: ClientConfiguration
servers: [$CONTROL_PLANE:8132]
ca: /etc/tendril-vpn/ca.crt
certificate: /etc/tendril-vpn/client.pem
key: /etc/tendril-vpn/client.pem
gateKey: /etc/tendril-vpn/gate.key
networks: [$NET.0/24, 10.244.0.0/16, $SERVICES.0.0/16]
packets: false
apiServerListen: $NODE_LOCAL:6443
"""
unit = """[Unit]
After=network-online.target
[Service]
Type=notify
ExecStart=/usr/local/bin/tendril-vpn client --config /etc/tendril-vpn/client.yaml
Restart=always
RestartSec=100ms
WatchdogSec=15s
RuntimeDirectory=tendril
RuntimeDirectoryPreserve=yes
CapabilityBoundingSet=CAP_NET_ADMIN
NoNewPrivileges=yes
[Install]
WantedBy=multi-user.target
"""
files = [("client.yaml", {"inline": config}), ("ca.crt", {"inline": open(sys.argv[1]).read()}), ("gate.key", {"secretRef": {"name": "vpn-gate", "key": "key"}})]
json.dump({
    "tunnelCertificate": {"path": "/etc/tendril-vpn/client.pem"},
    "files": [{"path": "/etc/tendril-vpn/" + name, "mode": "0600", "content": content} for name, content in files],
    "units": [{"name": "tendril-vpn.service", "content": unit, "enabled": True, "restartOn": ["/etc/tendril-vpn/client.yaml"]}],
}, sys.stdout)
PY
  varied $g "$(<"$WORK/link.json")"
  everywhere $g w1 w3
  until_ok 20 links_live 2 || fail "$(vpn_status)"
  until_ok 10 eval '[[ $(vpn_status | field nodes) == $(kubectl get nodes --no-headers | wc -l) ]]' || fail "Nodes are not followed: $(vpn_status)"
  on w1 grep -q "^CapEff:.*0000000000000000" "/proc/$(on w1 systemctl show -P MainPID tendril-vpn)/status" || fail "the client keeps privileges"
}

scenario_link_only() { # from now on the API server has no route to the nodes: what works, works through the link
  cat >"$RIG/egress.yaml" <<YAML
apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- name: cluster
  connection:
    proxyProtocol: HTTPConnect
    transport: {uds: {udsName: $EGRESS}}
YAML
  "$HERE/control-plane.sh" restart-apiserver --egress-selector-config-file="$RIG/egress.yaml" --endpoint-reconciler-type=none
  # Replies go out; whatever the control plane begins does not.
  in_ns cp nft -f - <<<"table inet no_route { chain out { type filter hook output priority 0; ip daddr $NET.0/24 ip daddr != $CONTROL_PLANE ct state new drop; ip daddr { 10.244.0.0/16, $SERVICES.0.0/16 } drop; }; }"
  ! in_ns cp curl -sk --max-time 1 -o /dev/null https://$NET.11:10250/ || fail "there is a route"
  local m; for m in w1 w3; do until_ok 60 node_ready $m; done
  until_ok 20 eval '[[ $(kubectl logs web) == up ]]' || fail "$(kubectl logs web 2>&1)"
}

# follow_talk [FLAG...]: follows what the pod `talk` says, from now on. follow_to_now COUNT: until what it says now has come, and more
# than COUNT lines, none of which is missing or there twice.
follow_talk() {
  rm -f "$RIG/log/follow.log"
  start follow ip netns exec "$RIG_NAME-cp" "$KUBECTL" --kubeconfig "$PKI/admin.kubeconfig" logs -f talk "$@"
}
follow_to_now() {
  local last; last=$(kubectl logs talk --tail=1)
  until_ok 20 grep -qx "$last" "$RIG/log/follow.log" || fail "$last does not come: $(tail -3 "$RIG/log/follow.log")"
  until_ok 20 eval "((\$(wc -l <'$RIG/log/follow.log') > $1))" || fail "too few lines"
  stop follow
  python3 - "$RIG/log/follow.log" <<'PY' || fail "$(tail -3 "$RIG/log/follow.log")"
import sys
numbers = [int(line.split()[1]) for line in open(sys.argv[1])]
assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), (len(numbers), numbers[:3])
PY
}

scenario_verbs() { # exec, logs -f, port-forward, attach, and a gigabyte through cp, byte by byte
  [[ $(kubectl exec web -- sh -c 'echo from the pod') == "from the pod" ]] || fail "no exec"
  kubectl run talk --image=rig.invalid/busybox:1 --image-pull-policy=Never --restart=Never --overrides='{"spec":{"nodeName":"w1"}}' --command -- sh -c 'i=0; while true; do echo line $i; i=$((i+1)); sleep 0.05; done' >/dev/null
  kubectl wait --for=condition=Ready pod/talk "$TIMEOUT" >/dev/null
  follow_talk; sleep 2
  follow_to_now 40
  start attach ip netns exec "$RIG_NAME-cp" "$KUBECTL" --kubeconfig "$PKI/admin.kubeconfig" attach talk
  until_ok 10 grep -q '^line [0-9]' "$RIG/log/attach.log" || fail "no attach: $(<"$RIG/log/attach.log")"
  stop attach
  kubectl run site --image=rig.invalid/server:1 --image-pull-policy=Never --restart=Never --overrides='{"spec":{"nodeName":"w1"}}' --labels=app=site --command -- /usr/bin/python3.11 /srv/server.py 8080 >/dev/null
  kubectl wait --for=condition=Ready pod/site "$TIMEOUT" >/dev/null
  until_ok 10 eval '[[ $(kubectl get --raw /api/v1/namespaces/default/pods/site:8080/proxy/) == *up* ]]' || fail "no pod proxy"
  # Not before it listens: a port-forward ends with the first connection that is refused.
  start forward ip netns exec "$RIG_NAME-cp" "$KUBECTL" --kubeconfig "$PKI/admin.kubeconfig" port-forward pod/site 18080:8080
  until_ok 10 eval '[[ $(in_ns cp curl -s http://127.0.0.1:18080/) == *up* ]]' || fail "no port-forward"
  stop forward
  head -c $((${COPY_MIB:-1024} << 20)) /dev/urandom >"$WORK/copy.in"
  local t; t=$(now)
  kubectl cp "$WORK/copy.in" web:/tmp/copy
  kubectl cp web:/tmp/copy "$WORK/copy.out" >/dev/null
  cmp "$WORK/copy.in" "$WORK/copy.out" || fail "the copy differs"
  say "  ${COPY_MIB:-1024} MiB there and back in $(took "$t") s"
  kubectl exec web -- sh -c ': >/tmp/copy'; rm "$WORK"/copy.*
}

scenario_owner() { # a node's own client is asked first, and the cause names the node that is meant
  failovers() { in_ns cp curl -s $CONTROL_PLANE:8134/metrics | sed -n 's/^tendril_vpn_stream_failovers_total //p'; }
  local before i; before=$(failovers)
  [[ -n $before ]] || fail "no metric"
  # Who asks another would be refused there, and counted.
  on w3 iptables -I OUTPUT -d $NET.11 -p tcp --dport 10250 -j REJECT
  for i in {1..20}; do [[ $("$HERE/connect.py" "$EGRESS" $NET.11:10250) == *" 200 "* ]] || fail "not connected"; done
  [[ $(failovers) == "$before" ]] || fail "another client was asked first: $(failovers) after $before"
  on w3 iptables -D OUTPUT -d $NET.11 -p tcp --dport 10250 -j REJECT
  # A Node that goes is forgotten, and one that comes is known.
  kubectl apply -f - >/dev/null <<<'{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "ghost"}}'
  local all; all=$(kubectl get nodes --no-headers | wc -l)
  until_ok 5 eval '[[ $(vpn_status | field nodes) == "$all" ]]' || fail "$(vpn_status | field nodes) of $all Nodes"
  kubectl delete node ghost --wait=false >/dev/null
  until_ok 5 eval '[[ $(vpn_status | field nodes) == $((all - 1)) ]]' || fail "$(vpn_status | field nodes) of $((all - 1)) Nodes"
}

# tls_site NAME ADDRESS: a pod NAME on w1 that answers over TLS, and a Service with this address before it
tls_site() {
  leaf cluster "$1" "/CN=$1" "DNS:$1.default.svc"
  kubectl create secret tls "$1" --cert="$PKI/$1.crt" --key="$PKI/$1.key" >/dev/null
  kubectl apply -f - >/dev/null <<YAML
apiVersion: v1
kind: Pod
metadata: {name: $1, labels: {app: $1}}
spec:
  nodeName: w1
  containers:
    - {name: server, image: "rig.invalid/server:1", imagePullPolicy: Never, command: [/usr/bin/python3.11, /srv/server.py, "8443", /tls/tls.crt, /tls/tls.key], volumeMounts: [{name: tls, mountPath: /tls}]}
  volumes: [{name: tls, secret: {secretName: $1}}]
---
apiVersion: v1
kind: Service
metadata: {name: $1}
spec: {clusterIP: $2, selector: {app: $1}, ports: [{port: 443, targetPort: 8443}]}
YAML
  kubectl wait --for=condition=Ready "pod/$1" "$TIMEOUT" >/dev/null
}

scenario_services() { # service proxies, an admission webhook and an aggregated API, all backed by pods
  on w1 sh -c 'cat >/run/proxy.kubeconfig' <"$PKI/admin.kubeconfig"
  on w1 systemd-run --quiet --unit=kube-proxy /opt/kubernetes/bin/kube-proxy --kubeconfig=/run/proxy.kubeconfig --hostname-override=w1 \
    --proxy-mode=iptables --cluster-cidr=10.244.0.0/16 --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0 --conntrack-tcp-timeout-close-wait=0
  tls_site hook $SERVICES.0.50; tls_site things $SERVICES.0.51
  until_ok 20 eval '[[ $(kubectl get --raw /api/v1/namespaces/default/services/https:hook:443/proxy/) == *up* ]]' || fail "no service proxy"
  kubectl apply -f - >/dev/null <<YAML
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: hook}
webhooks:
  - name: hook.rig.tendril.dev
    admissionReviewVersions: [v1]
    sideEffects: None
    timeoutSeconds: 5
    failurePolicy: Fail
    rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
    clientConfig: {service: {name: hook, namespace: default, path: /webhook}, caBundle: $(base64 -w0 <"$PKI/cluster-ca.crt")}
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.rig.tendril.dev}
spec: {group: rig.tendril.dev, version: v1, groupPriorityMinimum: 1000, versionPriority: 10, service: {name: things, namespace: default}, caBundle: $(base64 -w0 <"$PKI/cluster-ca.crt")}
YAML
  pod() { kubectl run "$1" --image=rig.invalid/busybox:1 --image-pull-policy=Never --restart=Never --labels="$2" --command -- sleep 1; }
  until_ok 20 eval '[[ $(pod refused refuse=me 2>&1) == *"refused by the webhook in the shoot"* ]]' || fail "$(pod refused refuse=me 2>&1)"
  pod taken refuse=nobody >/dev/null || fail "the webhook refuses everything"
  until_ok 30 eval '[[ $(kubectl get --raw /apis/rig.tendril.dev/v1/things) == *ThingList* ]]' || fail "$(kubectl get apiservice v1.rig.tendril.dev -o yaml)"
  kubectl delete validatingwebhookconfiguration hook >/dev/null
  kubectl delete pod taken --now >/dev/null
}

scenario_pods_way() { # pods reach the API server by the kubernetes Service, over the link, without a route to it
  # kube-proxy looks at the slices; those of the API server's own making stay when it stops making them.
  kubectl delete endpoints,endpointslices --field-selector metadata.name=kubernetes >/dev/null
  kubectl create -f - >/dev/null <<YAML
apiVersion: v1
kind: Endpoints
metadata: {name: kubernetes, namespace: default}
subsets: [{addresses: [{ip: $NODE_LOCAL}], ports: [{name: https, port: 6443}]}]
YAML
  on w1 iptables -I FORWARD -d $CONTROL_PLANE -j DROP
  local ask='import ssl,urllib.request as u
c=ssl.create_default_context(cafile="/var/run/secrets/kubernetes.io/serviceaccount/ca.crt")
t=open("/var/run/secrets/kubernetes.io/serviceaccount/token").read()
r=u.Request("https://'$SERVICES'.0.1/api/v1/namespaces/default/pods?limit=1",headers={"Authorization":"Bearer "+t})
try: print(u.urlopen(r,context=c,timeout=10).status)
except u.HTTPError as e: print(e.code)'
  until_ok 30 eval '[[ $(kubectl exec site -- /usr/bin/python3.11 -c "$ask") == 403 ]]' || fail "$(kubectl exec site -- /usr/bin/python3.11 -c "$ask" 2>&1 | tail -2)"
  kubectl create clusterrolebinding rig-view --clusterrole=view --serviceaccount=default:default >/dev/null
  until_ok 10 eval '[[ $(kubectl exec site -- /usr/bin/python3.11 -c "$ask") == 200 ]]' || fail "no answer"
  on w1 iptables -D FORWARD -d $CONTROL_PLANE -j DROP
}

# cut_link MACHINE: resets every connection of its link
cut_link() { in_ns "$1" ss -K dst $CONTROL_PLANE dport = 8132 >/dev/null 2>&1 || true; }
reconnects() { vpn_status | python3 -c 'import json,sys; print(sum(l["reconnects"] for l in json.load(sys.stdin)["links"]))'; }

scenario_cut() { # connections of the link are cut every second while logs are followed: no line is lost or repeated
  local before i; before=$(reconnects)
  follow_talk --since=1s
  for i in {1..10}; do sleep 1; cut_link w1; cut_link w3; done
  follow_to_now 150
  (($(reconnects) >= before + 10)) || fail "nothing was cut"
}

# parked: whether what is asked while both links are down is answered once they are back
parked() {
  local text
  on w1 systemctl stop tendril-vpn; on w3 systemctl stop tendril-vpn
  (sleep 1; on w1 systemctl start tendril-vpn & on w3 systemctl start tendril-vpn; wait) &
  text=$(kubectl logs web 2>&1); wait $!
  [[ $text == up ]]
}

scenario_causes() { # what cannot be reached is answered within a bound, and kubectl shows the cause
  # An agent would start what is stopped here, and at times in the middle of that.
  trap 'on w1 systemctl start --no-block tendril-agent; on w3 systemctl start --no-block tendril-agent' EXIT
  on w1 systemctl stop tendril-agent; on w3 systemctl stop tendril-agent
  on w1 systemctl stop tendril-vpn; on w3 systemctl stop tendril-vpn
  local t text; t=$(now); text=$(kubectl logs web 2>&1 || true)
  [[ $text == *"504 node w1: link down"*"last heard"* ]] || fail "$text"
  within 5 "$t"
  # A dial that comes while a link is down for a moment waits for it: for three seconds, which a busy machine may need to start a client.
  parked || parked || parked || fail "a dial was not parked"
  until_ok 10 links_live 2
}

scenario_failover() { # a node's client that stands still or is killed: new streams go by another within three seconds
  local t
  on w1 systemctl kill --signal=STOP tendril-vpn; t=$(now)
  [[ $("$HERE/connect.py" "$EGRESS" $NET.11:10250) == *" 200 "* ]] || fail "no answer through w3"
  say "  connected after $(took "$t") s beside a client that stands still"
  within 3.5 "$t"
  on w1 systemctl kill --signal=CONT tendril-vpn
  until_ok 20 links_live 2
  on w1 systemctl kill --signal=KILL tendril-vpn; t=$(now)
  [[ $("$HERE/connect.py" "$EGRESS" $NET.11:10250) == *" 200 "* ]] || fail "no answer after a kill"
  within 1.0 "$t"
  until_ok 20 links_live 2
}

scenario_node_dies() { # a node dies under `logs -f`: nobody follows for ever, the others notice nothing, and it comes back
  local t
  # kube-apiserver keeps its connections to kubelets: one that `failover` has led to w1 by w3 would wait ten seconds for w3's return.
  on w3 systemctl kill --signal=KILL tendril-vpn; sleep 1; until_ok 20 links_live 2
  kubectl run doomed --image=rig.invalid/busybox:1 --image-pull-policy=Never --restart=Never --overrides='{"spec":{"nodeName":"w3"}}' --command -- sh -c 'while true; do echo alive; sleep 0.1; done' >/dev/null
  kubectl wait --for=condition=Ready pod/doomed "$TIMEOUT" >/dev/null
  rm -f "$RIG/log/doomed.log"
  start doomed ip netns exec "$RIG_NAME-cp" "$KUBECTL" --kubeconfig "$PKI/admin.kubeconfig" logs -f doomed
  until_ok 10 grep -q alive "$RIG/log/doomed.log"
  # As when its power is cut: not a word leaves it.
  t=$(now); ip -n "$RIG_NAME-sw" link set v-w3 down
  [[ $(kubectl logs web) == up ]] || fail "another node is not reached"
  within 3.5 "$t"
  until_ok 20 eval '! kill -0 "$(<"$RIG/run/doomed.pid")"' || fail "it is followed for ever"
  # kube-apiserver ends its answer as it ends a whole log (StreamObject passes over errors), so that kubectl says nothing.
  say "  ended after $(took "$t") s"
  within 15 "$t"
  machine reboot w3; ip -n "$RIG_NAME-sw" link set v-w3 up
  until_ok 60 links_live 2; until_ok 60 node_ready w3
  kubectl delete pod doomed --now --wait=false >/dev/null
}

scenario_link_end() { # the link is taken away again: units, files and certificate go with the generation that brought them
  # First, for whoever lists what the API server serves would wait for it.
  kubectl delete apiservice v1.rig.tendril.dev >/dev/null
  stop vpn-server
  in_ns cp nft flush ruleset
  kubectl delete endpoints,endpointslices --field-selector metadata.name=kubernetes >/dev/null
  "$HERE/control-plane.sh" restart-apiserver
  on w1 systemctl stop kube-proxy
  kubectl delete pods talk site hook things --now --wait=false >/dev/null
  local g; g=$(($(latest) + 1))
  configured $g; everywhere $g w1 w2 w3
  ! on w1 sh -c 'systemctl is-active --quiet tendril-vpn || ls /etc/systemd/system/tendril-vpn.service /etc/tendril-vpn/* 2>/dev/null' | grep . || fail "something is left"
  local m; for m in w1 w2 w3; do until_ok 60 node_ready $m; done
}

scenario_link_packaged() { # the unit as it is shipped links a machine: a user of its own, no privilege left, packets; back after a kill, and gone with all it made
  local files=$RIG/machines/w1/root pki=$WORK/packaged t
  "$TENDRIL_VPN" certificates --cluster packaged --out "$pki" >/dev/null
  start vpn-packaged ip netns exec "$RIG_NAME-cp" "$TENDRIL_VPN" server --listen :8199 --address 10.98.7.1/24 --network 10.77.0.0/24 --tun packaged0 \
    --ca "$pki/ca.crt" --certificate "$pki/server.crt" --key "$pki/server.key" --gate-key "$pki/gate.key" --socket "$RIG/run/vpn-packaged.sock"
  "$HERE/../../../packaging/install.sh" "$(dirname "$TENDRIL_VPN")" "$files" /usr tendril-vpn
  mkdir -p "$files/etc/tendril"; cp "$pki"/{ca.crt,client.crt,client.key,gate.key} "$files/etc/tendril/"
  cat >"$files/etc/tendril/vpn-client.yaml" <<YAML
apiVersion: vpn.tendril.dev/v1alpha1
kind: ClientConfiguration
servers: [$CONTROL_PLANE:8199]
ca: /etc/tendril/ca.crt
certificate: /etc/tendril/client.crt
key: /etc/tendril/client.key
gateKey: /etc/tendril/gate.key
addresses: [10.98.7.2/24]
networks: [10.77.0.0/24]
remoteNetworks: [10.78.0.0/24]
masquerade: true
YAML
  # udev gives it to everybody; here there is none.
  on w1 sh -c 'umount /dev/net/tun; rm -f /dev/net/tun; mknod -m 0666 /dev/net/tun c 10 200'
  on w1 systemd-sysusers
  on w1 chown tendril-vpn /etc/tendril/client.key /etc/tendril/gate.key
  on w1 systemctl daemon-reload
  # Type=notify: this comes back once it runs.
  on w1 systemctl start tendril-vpn-client || fail "$(on w1 journalctl --no-pager -u tendril-vpn-client -o cat | tail -5)"
  until_ok 10 in_ns cp ping -c 1 -W 1 10.98.7.2
  until_ok 10 eval '[[ $(on w1 systemctl show -P StatusText tendril-vpn-client) == "1 of 1 links live"* ]]'
  t=$(on w1 systemctl show -P MainPID tendril-vpn-client)
  [[ $(on w1 stat -c %U "/proc/$t") == tendril-vpn ]] || fail "it runs as another user"
  on w1 grep -q "^CapEff:.*0000000000000000" "/proc/$t/status" || fail "it keeps privileges"
  on w1 systemctl kill --signal=KILL tendril-vpn-client; t=$(now)
  until_ok 10 in_ns cp ping -c 1 -W 1 10.98.7.2
  within 3.0 "$t"
  on w1 systemctl stop tendril-vpn-client
  ! on w1 sh -c 'ip -o link; nft list tables' | grep tendril0 || fail "something is left"
  stop vpn-packaged
}
