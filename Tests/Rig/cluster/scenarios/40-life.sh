# shellcheck shell=bash
# A node's life, to its end.

scenario_restart_wish() { # an annotation restarts units, once
  kubectl annotate node w1 tendril.dev/restart-units=containerd.service >/dev/null
  until_ok 90 event "^UnitRestarted w1"
  [[ -z $(annotation w1 restart-units) ]] || fail "the wish is still there"
  kubectl get pod web -o jsonpath='{.status.phase}' | seen Running || fail "the pod did not survive"
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
  until_ok 60 on w3 test -e /var/lib/kubelet/pki/kubelet-client-current.pem || fail "the kubelet has no certificate"
  ! on w3 test -e /etc/tendril/bootstrap-token || fail "the token is still on the disk"
  until_ok 60 node_ready w3
  [[ $(kubectl get node w3 -o jsonpath='{.metadata.uid}') == "$uid" ]] || fail "the Node was replaced"
}

scenario_secrets() { # the secrets of all machines appear in no argument, environment, log or world-readable file
  local name secret m
  for name in w1 pool rejoin; do
    secret=$(cut -d. -f2 "$WORK/$name.token")
    for m in w1 w2 w3; do
      ! on $m sh -c 'cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null; journalctl --no-pager' | tr '\0' '\n' | seen "$secret" || fail "the token $name is seen on $m"
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

scenario_gone() { # what was kept and granted for a machine that is gone goes too, once nobody can hold its certificate
  kubectl delete node w2 >/dev/null
  stop approver; approver_up; sleep 3
  kubectl -n kube-system get cm tendril-machine-w2 >/dev/null || fail "removed too early"
  kubectl -n kube-system patch cm tendril-machine-w2 --type merge -p '{"data": {"expiry": "2026-01-01T00:00:00Z"}}' >/dev/null
  stop approver; approver_up
  until_ok 10 eval '! kubectl -n kube-system get cm tendril-machine-w2' || fail "the record is still there"
  ! kubectl get clusterrole tendril:agent:w2 >/dev/null 2>&1 || fail "the rights are still there"
  ! kubectl get nodebootstrap w2 >/dev/null 2>&1 || fail "NodeBootstrap is still there"
  kubectl -n kube-system get cm tendril-machine-w1 >/dev/null || fail "w1 lost its record"
}
