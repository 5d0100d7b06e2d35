# shellcheck shell=bash
# What is wanted of nodes changes.

scenario_live_change() { # a file that nobody reads at start changes without a restart, on all machines
  local before; before=$(kubelet_starts w1)
  configured 2 -e 's/nameserver 10.96.0.10/nameserver 10.96.0.11/'
  local m; for m in w1 w2 w3; do until_ok 60 eval "[[ \$(annotation $m applied-generation) == 2 ]]" || fail "$m: $(status $m)"; done
  [[ $(kubectl get node w1 -o jsonpath='{.metadata.labels.tendril\.dev/pool}') == worker ]] || fail "no label"
  on w1 grep -q 10.96.0.11 /etc/kubernetes/resolv.conf
  [[ $(kubelet_starts w1) == "$before" ]] || fail "the kubelet was restarted"
  kubectl get pod web -o jsonpath='{.status.phase}' | seen Running
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
  kubectl get pod web -o jsonpath='{.status.phase}' | seen Running || fail "the pod did not survive"
}

scenario_rollback() { # a kubelet flag that does not exist is taken back as a whole, and told; so is a kubelet without a way to the API server
  configured 4 -e 's/timeoutSeconds: 60/timeoutSeconds: 20/' -e 's/^    labels:/    extraArguments: [--no-such-flag]\n    labels:/' -e 's/10.96.0.10/10.96.0.12/'
  until_ok 150 event "GenerationRolledBack w1" || fail "w1: $(status w1)"
  until_ok 30 node_ready w1
  ! on w1 grep -q no-such-flag /etc/systemd/system/kubelet.service || fail "the flag is still there"
  ! on w1 grep -q 10.96.0.12 /etc/kubernetes/resolv.conf || fail "a file of the bad generation is still there"
  [[ $(annotation w1 applied-generation) == 3 ]] || fail "generation $(annotation w1 applied-generation)"
  until_ok 60 has w1 error "was taken back" || fail "status: $(status w1)"
  # A kubelet that is well, but comes to the API server no more: what its Node says is what the one before said.
  varied 5 '{"health": {"timeoutSeconds": 20}, "kubelet": {"environment": {"HTTPS_PROXY": "http://192.0.2.1:1"}}}'
  until_ok 150 has w1 error "generation 5 was taken back" || fail "w1: $(status w1), in force: $(annotation w1 applied-generation)"
  configured 6
  local m; for m in w1 w2 w3; do until_ok 150 eval "[[ \$(annotation $m applied-generation) == 6 ]]" || fail "$m: $(status $m)"; done
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
  configured 7
  local m; for m in w1 w2 w3; do until_ok 60 eval "[[ \$(annotation $m applied-generation) == 7 ]]" || fail "$m: $(status $m)"; done
}

# varied GENERATION JSON: publishes the rig's configuration with JSON merged into its spec; lists are joined
varied() {
  python3 - "$WORK/node-configuration.yaml" "$1" "$2" >"$WORK/configuration.yaml" <<'PY'
import json, sys, yaml
document = yaml.safe_load(open(sys.argv[1]))
document["metadata"]["generation"] = int(sys.argv[2])
def merge(old, new):
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(key), dict): merge(old[key], value)
        elif isinstance(value, list) and isinstance(old.get(key), list): old[key] += value
        else: old[key] = value
merge(document["spec"], json.loads(sys.argv[3]))
json.dump(document, sys.stdout)
PY
  publish "$WORK/configuration.yaml"
}
taints() { kubectl get node "$1" -o jsonpath='{.spec.taints[*].key}'; }

scenario_taints() { # taints follow what is wanted, and those of others stay
  local g; g=$(($(latest) + 1))
  kubectl taint node w1 others=x:PreferNoSchedule >/dev/null
  varied $g '{"kubelet": {"taints": [{"key": "pool", "value": "a", "effect": "PreferNoSchedule"}]}}'
  everywhere $g w1 w2 w3
  [[ $(taints w1) == *others* && $(taints w1) == *pool* && $(taints w2) == *pool* ]] || fail "w1: $(taints w1), w2: $(taints w2)"
  configured $((g + 1)); everywhere $((g + 1)) w1 w2 w3
  [[ $(taints w1) == *others* && $(taints w1) != *pool* ]] || fail "w1: $(taints w1)"
  kubectl taint node w1 others- >/dev/null
}

scenario_followed() { # a file follows its Secret within seconds and a restart that it brings is under budget; nothing never replaces something
  local g before; g=$(($(latest) + 1))
  kubectl -n kube-system create secret generic follow-me --from-literal=token=one >/dev/null
  varied $g '{"files": [{"path": "/etc/app/token", "content": {"secretRef": {"name": "follow-me", "key": "token"}}}]}'
  everywhere $g w1 w2
  before=$(kubelet_starts w1)
  [[ $(on w1 cat /etc/app/token) == one && $(on w1 stat -c %a /etc/app/token) == 600 ]] || fail "no token"
  # The watch begins once the generation is in force.
  sleep 6
  kubectl -n kube-system create secret generic follow-me --from-literal=token=two --dry-run=client -o yaml | kubectl replace -f - >/dev/null
  until_ok 8 eval '[[ $(on w1 cat /etc/app/token) == two && $(on w2 cat /etc/app/token) == two ]]' || fail "not followed"
  until_ok 10 event "SecretsFollowed w1"
  kubectl -n kube-system delete secret follow-me >/dev/null
  sleep 3
  [[ $(on w1 cat /etc/app/token) == two && $(kubelet_starts w1) == "$before" ]] || fail "something was lost or restarted"
  configured $((g + 1)); everywhere $((g + 1)) w1 w2 w3
  ! on w1 test -e /etc/app/token || fail "the file is still there"
}

scenario_image_file() { # a file comes out of an OCI image; one whose digest is another changes nothing
  local g reference sha; g=$(($(latest) + 1))
  reference=$(<"$WORK/downloads/tool.reference"); sha=$(<"$WORK/downloads/tool.sha256")
  tool() { varied "$1" '{"files": [{"path": "/opt/tool/bin/tool", "mode": "0755", "content": {"image": {"reference": "'"$reference"'", "path": "/usr/bin/tool", "sha256": "'"$2"'"}}}, {"path": "/etc/app/beside", "content": {"inline": "x"}}]}'; }
  tool $g "${sha//[0-7]/8}"
  until_ok 60 is w1 cause image || fail "w1: $(status w1)"
  ! on w1 test -e /etc/app/beside || fail "half of a generation was applied"
  tool $((g + 1)) "$sha"; everywhere $((g + 1)) w1 w2 w3
  [[ $(on w1 /opt/tool/bin/tool) == tool ]] || fail "no tool"
  [[ -z $(on w1 ctr -n tendril images list -q)$(on w1 ls /var/lib/tendril/download) ]] || fail "something is left of the download"
  on w1 sh -c 'echo tampered >>/opt/tool/bin/tool; systemctl restart tendril-agent'
  until_ok 30 eval '[[ $(on w1 /opt/tool/bin/tool) == tool ]]' || fail "not put back"
  configured $((g + 2)); everywhere $((g + 2)) w1 w2 w3
  ! on w1 test -e /opt/tool/bin/tool || fail "the tool is still there"
}

scenario_tunnel_certificate() { # the agent fetches the tunnel client's certificate, in the machine's name
  local g; g=$(($(latest) + 1))
  varied $g '{"tunnelCertificate": {"path": "/etc/tendril-vpn/client.pem"}}'; everywhere $g w1 w2 w3
  on w1 openssl x509 -in /etc/tendril-vpn/client.pem -noout -subject -ext subjectAltName >"$WORK/tunnel.txt"
  grep -q "URI:spiffe://$CLUSTER/vpn/client/w1" "$WORK/tunnel.txt" || fail "$(cat "$WORK/tunnel.txt")"
  on w1 openssl x509 -in /etc/tendril-vpn/client.pem -noout -checkend 80000 >/dev/null || fail "it ends too soon"
  [[ $(on w1 stat -c %a /etc/tendril-vpn/client.pem) == 600 ]] || fail "others may read the key"
  configured $((g + 1)); everywhere $((g + 1)) w1 w2 w3
  ! on w1 test -e /etc/tendril-vpn/client.pem || fail "the key is still there"
}
