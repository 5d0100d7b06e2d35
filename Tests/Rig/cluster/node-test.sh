#!/usr/bin/env bash
# node-test.sh [SCENARIO...]: real machines join a real API server by our user data alone, and are kept as they are wanted.
# Each scenario says what it shows; one that fails does not keep the others from running. KEEP=1 leaves the rig up.
. "$(dirname "$0")/lib.sh"
. "$HERE/tendril.sh"
. "$HERE/pki.sh"

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
event() { kubectl get events -A -o jsonpath='{range .items[*]}{.reason}{" "}{.involvedObject.name}{" "}{.message}{"\n"}{end}' | grep -q -- "$1"; }
annotation() { kubectl get node "$1" -o "jsonpath={.metadata.annotations.tendril\\.dev/$2}"; }
fail() { say "  $*"; return 1; }
# kubelet_starts NAME: how often the kubelet was started since the machine's boot
kubelet_starts() { on "$1" journalctl --no-pager -u kubelet -o cat | grep -c "Started kubelet.service" || true; }

# join NAME NUMBER [LINE...]: boots a machine with the token NAME and user data from LINEs
join() {
  user_data "$1" "${@:3}"
  machine up "$1" "$2" "$WORK/$1.userdata"
}

# --- scenarios: in this order, for some go on with the machines of earlier ones --------------------------------------

scenario_join() { # a bare machine becomes a Ready node; the token is void, and gone from the disk
  token w1 --machine w1
  local secret; secret=$(cut -d. -f2 "$WORK/w1.token")
  join w1 11
  until_ok 60 node_ready w1
  until_ok 30 is w1 phase done
  until_ok 10 is w1 generation 1
  until_ok 10 eval '[[ $(annotation w1 applied-generation) == 1 && $(annotation w1 kubelet-version) == v1.20.2 ]]'
  [[ $(kubectl get nodebootstrap w1 -o jsonpath='{.status.phase}') == done ]] || fail "NodeBootstrap is not done"
  until_ok 5 eval '! kubectl -n kube-system get secret bootstrap-token-$(cut -d. -f1 "$WORK/w1.token")' || fail "the token is still there"
  # The only copies left are those that the rig itself made, outside the machine.
  ! on w1 grep -rqs "$secret" /etc /var /run /root /tmp /opt || fail "the token is still on the disk: $(on w1 grep -rls "$secret" /etc /var /run /root /tmp)"
  local id; id=$(kubectl get csr -o name | head -1); [[ -n $id ]] || fail "no requests"
}

scenario_schema() { # the user data is what cloud-init's own schema wants
  cp "$WORK/w1.userdata" "$ROOTFS/tmp/userdata"
  chroot "$ROOTFS" cloud-init schema --config-file /tmp/userdata 2>&1 | grep -q "Valid" || fail "$(chroot "$ROOTFS" cloud-init schema --config-file /tmp/userdata 2>&1)"
  rm "$ROOTFS/tmp/userdata"
  (($(wc -c <"$WORK/w1.userdata") <= 8192)) || fail "larger than 8 KiB"
}

scenario_pods() { # pods run on it, and the API server reads their logs over the kubelet's own certificate
  on w1 ctr -n k8s.io images import /opt/rig/images/pause.tar >/dev/null
  on w1 ctr -n k8s.io images import /opt/rig/images/busybox.tar >/dev/null
  kubectl run web --image=rig.invalid/busybox:1 --image-pull-policy=Never --restart=Never --command -- sh -c 'echo up; exec sleep 100000' >/dev/null
  kubectl wait --for=condition=Ready pod/web --timeout=60s >/dev/null
  [[ $(kubectl logs web) == up ]] || fail "no logs"
}

scenario_replay() { # a used token gets nothing, a token of the pool no name that is taken; both are told
  until_ok 10 eval '[[ $(api_with_token w1 /api) == 401 ]]' || fail "the used token still works"
  token shared
  cp "$WORK/shared.token" "$WORK/w1b.token"
  join w1b 12 "machineName: w1"
  until_ok 30 has w1b error "already" || fail "the second claimant: $(status w1b | field error)"
  until_ok 10 event CertificateClaimRefused
  [[ $(kubectl get nodebootstrap w1 -o jsonpath='{.status.error}') == *already* ]] || fail "the refusal is not in NodeBootstrap"
  in_ns cp curl -s http://$CONTROL_PLANE:8133/metrics | grep -q '^tendril_approver_alarms_total [1-9]' || fail "no alarm is counted"
  machine down w1b
  kubectl -n kube-system get cm tendril-machine-w1 >/dev/null
}
# api_with_token NAME PATH: the API server's status for a request with a token
api_with_token() {
  printf 'header = "Authorization: Bearer %s"\n' "$(<"$WORK/$1.token")" |
    in_ns cp curl -s -o /dev/null -w '%{http_code}' --cacert "$PKI/cluster-ca.crt" -K - "https://$CONTROL_PLANE:6443$2"
}

scenario_token_rights() { # what a token may do is to ask for its certificate and say how far it is
  local verb path expected
  while read -r verb path expected; do
    local got
    got=$(printf 'header = "Authorization: Bearer %s"\nheader = "Content-Type: application/json"\n' "$(<"$WORK/shared.token")" |
      in_ns cp curl -s -o /dev/null -w '%{http_code}' -X "$verb" -d '{}' --cacert "$PKI/cluster-ca.crt" -K - "https://$CONTROL_PLANE:6443$path")
    [[ $got == "$expected" ]] || fail "$verb $path answers $got, not $expected"
  done <<'TABLE'
GET /api/v1/namespaces/kube-system/secrets 403
GET /api/v1/namespaces/kube-system/configmaps/tendril-node-worker 403
GET /api/v1/nodes 403
GET /apis/certificates.k8s.io/v1/certificatesigningrequests 403
PUT /apis/certificates.k8s.io/v1/certificatesigningrequests/x/approval 403
DELETE /apis/tendril.dev/v1alpha1/nodebootstraps/w1 403
PATCH /apis/tendril.dev/v1alpha1/nodebootstraps/w1 403
POST /api/v1/namespaces/default/pods 403
POST /apis/rbac.authorization.k8s.io/v1/clusterrolebindings 403
TABLE
}

scenario_two_at_once() { # a scaling group's machines share a token and join at the same time, one over IPv6, one by a pin
  token pool
  local pin; pin=$(openssl x509 -in "$PKI/cluster-ca.crt" -pubkey -noout | openssl pkey -pubin -outform DER | sha256sum | cut -d' ' -f1)
  cp "$WORK/pool.token" "$WORK/w2.token"; cp "$WORK/pool.token" "$WORK/w3.token"
  join w2 13 "apiServers: ['https://$CONTROL_PLANE:1', 'https://[$NET6::1]:6443']" &
  join w3 14 "certificateAuthorityPins: ['sha256:$pin']" &
  wait
  until_ok 90 node_ready w2 || fail "w2: $(status w2)"
  until_ok 90 node_ready w3 || fail "w3: $(status w3)"
}

scenario_bad_starts() { # what is wrong is said in one line, with its cause, and the machine tries once a minute in the end
  local bad; bad=$(printf '0%.0s' {1..64})
  token b1 --machine b1
  join b1 21 "certificateAuthorityPins: ['sha256:$bad']"
  echo "zzzzzz.0123456789abcdef" >"$WORK/b2.token"
  join b2 22
  until_ok 30 is b1 cause wrong-pin || fail "wrong pin: $(status b1)"
  until_ok 30 is b2 cause token-rejected || fail "unknown token: $(status b2)"
  local code=0; agent b2 bootstrap >/dev/null 2>&1 || code=$?; [[ $code == 22 ]] || fail "exit code $code instead of 22"
  machine down b1; machine down b2
  token b3 --machine other
  join b3 23
  until_ok 30 has b3 error "is for other only" || fail "foreign token: $(status b3)"
  machine down b3
  token b4 --machine b4
  join b4 24 "apiServers: ['https://$CONTROL_PLANE:2']"
  until_ok 30 is b4 cause no-route || fail "no route: $(status b4)"
  machine down b4
}

# configured GENERATION [SED EXPRESSION...]: publishes the rig's configuration, changed
configured() {
  sed -e "s/generation: 1}/generation: $1}/" "${@:2}" "$HERE/node-configuration.yaml" >"$WORK/configuration.yaml"
  publish "$WORK/configuration.yaml"
}

scenario_live_change() { # a file that nobody reads at start changes without a restart, on all machines
  local before; before=$(kubelet_starts w1)
  configured 2 -e 's/nameserver 10.96.0.10/nameserver 10.96.0.11/'
  local m; for m in w1 w2 w3; do until_ok 60 eval "[[ \$(annotation $m applied-generation) == 2 ]]" || fail "$m: $(status $m)"; done
  [[ $(kubectl get node w1 -o jsonpath='{.metadata.labels.tendril\.dev/pool}') == worker ]] || fail "no label"
  on w1 grep -q 10.96.0.11 /etc/kubernetes/resolv.conf
  [[ $(kubelet_starts w1) == "$before" ]] || fail "the kubelet was restarted"
  kubectl get pod web -o jsonpath='{.status.phase}' | grep -q Running
}

scenario_budget() { # a change that restarts kubelets goes one machine at a time, and leaves out one that is drained
  kubectl cordon w3 >/dev/null
  configured 3 -e 's/imageGCHighThresholdPercent: 100/imageGCHighThresholdPercent: 99/'
  local holders=() i
  for i in {1..300}; do
    local holder; holder=$(kubectl -n kube-system get lease tendril-restart-0 -o jsonpath='{.spec.holderIdentity}')
    [[ -z $holder || " ${holders[*]} " == *" $holder "* ]] || holders+=("$holder")
    [[ $(annotation w1 applied-generation) == 3 && $(annotation w2 applied-generation) == 3 ]] && break
    sleep 0.2
  done
  [[ $(annotation w1 applied-generation) == 3 && $(annotation w2 applied-generation) == 3 ]] || fail "w1: $(status w1) w2: $(status w2)"
  ((${#holders[@]} == 2)) || fail "holders of the budget: ${holders[*]}"
  [[ $(annotation w3 applied-generation) == 2 ]] || fail "the drained machine was restarted"
  kubectl uncordon w3 >/dev/null
  until_ok 120 eval '[[ $(annotation w3 applied-generation) == 3 ]]' || fail "w3: $(status w3)"
  kubectl get pod web -o jsonpath='{.status.phase}' | grep -q Running || fail "the pod did not survive"
}

scenario_rollback() { # a kubelet flag that does not exist is taken back as a whole, and told
  configured 4 -e 's/timeoutSeconds: 60/timeoutSeconds: 20/' -e 's/^    labels:/    extraArguments: [--no-such-flag]\n    labels:/' -e 's/10.96.0.10/10.96.0.12/'
  until_ok 150 event "GenerationRolledBack w1" || fail "w1: $(status w1)"
  until_ok 30 node_ready w1
  ! on w1 grep -q no-such-flag /etc/systemd/system/kubelet.service || fail "the flag is still there"
  ! on w1 grep -q 10.96.0.12 /etc/kubernetes/resolv.conf || fail "a file of the bad generation is still there"
  [[ $(annotation w1 applied-generation) == 3 ]] || fail "generation $(annotation w1 applied-generation)"
  until_ok 60 has w1 error "was taken back" || fail "status: $(status w1)"
  configured 5
  local m; for m in w1 w2 w3; do until_ok 150 eval "[[ \$(annotation $m applied-generation) == 5 ]]" || fail "$m: $(status $m)"; done
  until_ok 30 is w1 error ""
}

scenario_forged() { # what is not signed, is older or is for another pool changes nothing
  kubectl -n kube-system get secret "$(kubectl -n kube-system get cm tendril-node-worker -o jsonpath='{.data.secret}')" -o json >"$WORK/good.json"
  python3 - "$WORK" <<'PY'
import base64, json, sys
work = sys.argv[1]
good = json.load(open(work + "/good.json"))
document = json.loads(base64.b64decode(good["data"]["node.json"]))
document["metadata"]["generation"] = 99
document["spec"]["files"].append({"path": "/etc/forged", "content": {"inline": "x"}})
good["data"]["node.json"] = base64.b64encode(json.dumps(document).encode()).decode()
good["metadata"] = {"name": good["metadata"]["name"], "namespace": "kube-system"}
json.dump(good, open(work + "/forged.json", "w"))
PY
  kubectl replace -f "$WORK/forged.json" >/dev/null
  kubectl -n kube-system annotate cm tendril-node-worker nudge=1 --overwrite >/dev/null
  until_ok 30 is w1 cause forged || fail "forged: $(status w1)"
  ! on w1 test -e /etc/forged || fail "a forged file was written"
  configured 2
  until_ok 30 is w1 cause outdated || fail "older: $(status w1)"
  configured 6
  local m; for m in w1 w2 w3; do until_ok 60 eval "[[ \$(annotation $m applied-generation) == 6 ]]" || fail "$m: $(status $m)"; done
}

scenario_drift() { # what somebody changed is put back
  on w1 sh -c 'echo tampered >/etc/kubernetes/resolv.conf; systemctl restart tendril-agent'
  until_ok 30 on w1 grep -q 'nameserver 10.96.0.10' /etc/kubernetes/resolv.conf
  until_ok 30 event "DriftRepaired w1"
}

scenario_read_only() { # a file system that takes no writes is told, and all is well within ten seconds of its end
  on w1 mount -t tmpfs -o ro tmpfs /etc/cni/net.d
  on w1 systemctl restart tendril-agent
  until_ok 30 is w1 cause disk || { on w1 umount /etc/cni/net.d; fail "read-only: $(status w1)"; }
  node_ready w1 || fail "the node suffered"
  local t; t=$(now)
  on w1 umount /etc/cni/net.d
  until_ok 15 is w1 error "" || fail "still: $(status w1)"
  (($(took "$t" | cut -d. -f1) <= 10)) || fail "took $(took "$t") s"
}

scenario_kill() { # the agent is killed a hundred times (KILLS) while generations come: no bad state
  local i generation=6
  for ((i = 1; i <= ${KILLS:-100}; i++)); do
    if ((i % 10 == 0)); then generation=$((generation + 1)); configured $generation -e "s/10.96.0.10/10.96.0.$((i % 200))/"; fi
    # Between two starts there is no process, and kill 0 would end this script.
    on w1 sh -c 'pid=$(systemctl show -P MainPID tendril-agent); [ "$pid" = 0 ] || kill -KILL "$pid"; systemctl reset-failed tendril-agent; systemctl restart tendril-agent' 2>/dev/null || true
    sleep 0.0$((RANDOM % 10))
  done
  until_ok 60 eval "[[ \$(annotation w1 applied-generation) == $generation ]]" || fail "w1: $(status w1)"
  ! on w1 sh -c 'find /etc /var/lib/tendril /var/lib/kubelet -xdev -name "*.tendril-new" | grep .' || fail "a temporary file is left"
  node_ready w1
}

scenario_outage() { # the API server is away: the old state stays, and all goes on within ten seconds of its return
  stop apiserver
  sleep 5
  on w1 systemctl restart tendril-agent
  sleep 10
  on w1 systemctl is-active --quiet kubelet containerd || fail "something was stopped"
  local before; before=$(date -u +%FT%T)
  "$HERE/control-plane.sh" restart-apiserver
  local t; t=$(now)
  until_ok 30 eval "[[ \$(kubectl -n kube-system get lease tendril-agent-w1 -o jsonpath='{.spec.renewTime}') > $before ]]"
  (($(took "$t" | cut -d. -f1) <= 10)) || fail "took $(took "$t") s"
  until_ok 60 node_ready w1
}

scenario_restart_wish() { # an annotation restarts units, once
  kubectl annotate node w1 tendril.dev/restart-units=containerd.service >/dev/null
  until_ok 90 event "UnitRestarted w1"
  [[ -z $(annotation w1 restart-units) ]] || fail "the wish is still there"
  kubectl get pod web -o jsonpath='{.status.phase}' | grep -q Running || fail "the pod did not survive"
}

scenario_rotate_ca() { # the cluster gets another CA: machines believe both, the API server changes, pods notice nothing
  local uid; uid=$(kubectl get pod web -o jsonpath='{.metadata.uid}{.status.containerStatuses[0].containerID}')
  authority next
  cat "$PKI/cluster-ca.crt" "$PKI/next-ca.crt" >"$PKI/both-ca.crt"
  # The last configuration, with both CAs, one generation on.
  kubectl -n kube-system get secret "$(kubectl -n kube-system get cm tendril-node-worker -o jsonpath='{.data.secret}')" -o jsonpath='{.data.node\.json}' | base64 -d |
    python3 -c 'import json,sys; d=json.load(sys.stdin); d["metadata"]["generation"]+=1; d["spec"]["certificateAuthority"]=open(sys.argv[1]).read(); json.dump(d,sys.stdout)' "$PKI/both-ca.crt" >"$WORK/configuration.json"
  publish "$WORK/configuration.json"
  local generation; generation=$(field metadata.generation <"$WORK/configuration.json")
  local m; for m in w1 w2 w3; do until_ok 150 eval "[[ \$(annotation $m applied-generation) == $generation ]]" || fail "$m: $(status $m)"; done
  rm "$PKI/apiserver.crt"; cp "$PKI/cluster-ca.crt" "$PKI/old-ca.crt"
  leaf next apiserver /CN=kube-apiserver "IP:$CONTROL_PLANE,IP:$NET6::1,IP:127.0.0.1,DNS:localhost"
  sed -i "s/certificate-authority-data: \"[^\"]*\"/certificate-authority-data: \"$(base64 -w0 <"$PKI/both-ca.crt")\"/" "$PKI"/*.kubeconfig
  "$HERE/control-plane.sh" restart-apiserver
  "$HERE/control-plane.sh" restart-controllers
  for m in w1 w2 w3; do
    local before; before=$(kubectl -n kube-system get lease tendril-agent-$m -o jsonpath='{.spec.renewTime}')
    until_ok 60 eval "[[ \$(kubectl -n kube-system get lease tendril-agent-$m -o jsonpath='{.spec.renewTime}') > '$before' ]]" || fail "$m does not believe the new CA: $(status $m)"
    until_ok 60 node_ready $m
  done
  [[ $(kubectl get pod web -o jsonpath='{.metadata.uid}{.status.containerStatuses[0].containerID}') == "$uid" ]] || fail "the pod was restarted"
}

scenario_reboot() { # a machine that boots again is a node again, without a token
  machine reboot w2
  sleep 8
  until_ok 60 eval 'on w2 systemctl is-active --quiet kubelet tendril-agent'
  until_ok 60 is w2 phase done
  until_ok 60 node_ready w2
}

scenario_rejoin() { # a machine that has lost its identity joins again with a token for that, and keeps its Node
  local uid; uid=$(kubectl get node w3 -o jsonpath='{.metadata.uid}')
  on w3 sh -c 'systemctl stop tendril-agent kubelet; rm /var/lib/tendril/agent.pem /var/lib/kubelet/pki/* /var/lib/kubelet/kubeconfig'
  token rejoin --machine w3 --allow-rejoin
  on w3 sh -c 'cat >/etc/tendril/bootstrap-token; chmod 600 /etc/tendril/bootstrap-token; systemctl start tendril-agent' <"$WORK/rejoin.token"
  until_ok 90 is w3 phase done || fail "w3: $(status w3)"
  on w3 test -e /var/lib/kubelet/pki/kubelet-client-current.pem || fail "the kubelet has no certificate"
  ! on w3 test -e /etc/tendril/bootstrap-token || fail "the token is still on the disk"
  until_ok 60 node_ready w3
  [[ $(kubectl get node w3 -o jsonpath='{.metadata.uid}') == "$uid" ]] || fail "the Node was replaced"
}

scenario_secrets() { # the secrets of all machines appear in no argument, environment, log or world-readable file
  local name secret m
  for name in w1 pool rejoin; do
    secret=$(cut -d. -f2 "$WORK/$name.token")
    for m in w1 w2 w3; do
      ! on $m sh -c 'cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null; journalctl --no-pager' | grep -qaF "$secret" || fail "the token $name is seen on $m"
      ! on $m find / -xdev -type f -perm -004 -size -1M -not -path '/proc/*' -exec grep -lF "$secret" {} + | grep . || fail "the token $name can be read on $m"
    done
    ! grep -rqF "$secret" "$RIG/log" || fail "the token $name is in a log"
  done
  ! on w1 sh -c 'find / -xdev -type f -perm -004 -size -1M -not -path "/proc/*" -exec grep -l "PRIVATE KEY-----" {} + | grep -v -e /usr/share/ -e /usr/lib/ -e /usr/bin/' | grep . || fail "a key can be read"
  agent w1 support-bundle --out /tmp/bundle.tar >/dev/null
  ! on w1 grep -qa "PRIVATE KEY-----" /tmp/bundle.tar || fail "a key is in the support bundle"
}

scenario_idle() { # an idle node asks little of the API server, and its agent is small
  local before after
  before=$(requests w1); sleep 60; after=$(requests w1)
  local rss; rss=$(on w1 sh -c 'awk "/^VmRSS/ { print \$2 }" /proc/$(systemctl show -P MainPID tendril-agent)/status')
  say "  idle: $((after - before)) requests a minute, $((rss / 1024)) MiB resident"
  ((after - before <= 8)) || fail "$((after - before)) requests"
  ((rss <= 24 * 1024)) || fail "$rss KiB"
}
# requests NAME: how many requests a machine's agent has sent so far
requests() { grep -c "\"username\":\"tendril:agent:$1\"" "$RIG/log/audit.log" || true; }

scenario_reset() { # reset leaves nothing of ours behind
  agent w2 reset --yes >/dev/null
  ! on w2 sh -c 'ls /etc/kubernetes/resolv.conf /etc/systemd/system/kubelet.service /etc/cni/net.d/10-rig.conflist /var/lib/kubelet/* /var/lib/tendril/* /etc/kubernetes/pki/ca.crt 2>/dev/null' | grep . || fail "files are left"
  ! on w2 systemctl is-active --quiet kubelet || fail "the kubelet runs"
  ! on w2 pgrep -x containerd-shim || true
  on w2 systemctl is-active --quiet containerd || fail "the image's own containerd was stopped"
}

# ---------------------------------------------------------------------------------------------------------------------

all=$(declare -F | awk '$3 ~ /^scenario_/ { print $3 }' | while read -r f; do grep -n "^$f()" "$0"; done | sort -n | sed -E 's/^[0-9]+:scenario_([a-z_]+).*/\1/')
about() { sed -n "s/^scenario_$1() { # //p" "$0"; }
finish() { [[ -n ${KEEP:-} ]] || "$HERE/clean.sh"; }

[[ -n ${KEEP:-} && -e $RIG/run/apiserver.pid ]] || { "$HERE/clean.sh"; mkdir -p "$RIG"/{run,log,pki,machines} "$WORK"; trap finish EXIT; "$HERE/prepare.sh"; "$HERE/control-plane.sh" up; tendril_up; }
machine_files
failed=()
for name in ${*:-$all}; do
  t=$(now)
  # Not inside a condition, where bash ignores errors.
  code=0; set +e; (set -e; "scenario_$name"); code=$?; set -e
  if ((code == 0)); then say "ok    $(took "$t")s  $name: $(about "$name")"; else say "FAIL  $(took "$t")s  $name: $(about "$name")"; failed+=("$name"); fi
done
((${#failed[@]} == 0)) || { say "failed: ${failed[*]}"; for m in w1 w2 w3; do on $m journalctl --no-pager -u tendril-agent -o cat 2>/dev/null | tail -20 >&2 || true; done; exit 1; }
