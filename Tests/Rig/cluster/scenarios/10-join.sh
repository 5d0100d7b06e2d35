# shellcheck shell=bash
# Machines become nodes.

scenario_join() { # a bare machine becomes a Ready node; the token is void, and gone from the disk
  token w1 --machine w1
  local secret; secret=$(cut -d. -f2 "$WORK/w1.token")
  join w1 11
  until_ok 60 node_ready w1
  until_ok 30 is w1 phase done
  until_ok 10 is w1 generation 1
  until_ok 10 eval '[[ $(annotation w1 applied-generation) == 1 && $(annotation w1 kubelet-version) == v$KUBERNETES_VERSION ]]'
  [[ $(kubectl get nodebootstrap w1 -o jsonpath='{.status.phase}') == done ]] || fail "NodeBootstrap is not done"
  # It is made void once the approver sees that the machine has gone on with its certificate.
  until_ok 10 eval '! kubectl -n kube-system get secret bootstrap-token-$(cut -d. -f1 "$WORK/w1.token")' || fail "the token is still there"
  # The only copies left are those that the rig itself made, outside the machine.
  ! on w1 grep -rqs "$secret" /etc /var /run /root /tmp /opt || fail "the token is still on the disk: $(on w1 grep -rls "$secret" /etc /var /run /root /tmp)"
  local id; id=$(kubectl get csr -o name); [[ -n $id ]] || fail "no requests"
}

scenario_schema() { # the user data is what cloud-init's own schema wants, and Ignition's
  "$TENDRIL_AGENT" user-data --config "$WORK/w1.yaml" --format ignition --out "$WORK/w1.ign" --force
  ignition-validate "$WORK/w1.ign" || fail "Ignition does not take it"
  cp "$WORK/w1.userdata" "$ROOTFS/tmp/userdata"
  chroot "$ROOTFS" cloud-init schema --config-file /tmp/userdata 2>&1 | seen "Valid" || fail "$(chroot "$ROOTFS" cloud-init schema --config-file /tmp/userdata 2>&1)"
  rm "$ROOTFS/tmp/userdata"
  (($(wc -c <"$WORK/w1.userdata") <= 8192)) || fail "larger than 8 KiB"
}

scenario_pods() { # pods run on it, and the API server reads their logs over the kubelet's own certificate
  on w1 ctr -n k8s.io images import /opt/rig/images/pause.tar >/dev/null
  on w1 ctr -n k8s.io images import /opt/rig/images/busybox.tar >/dev/null
  kubectl run web --image=rig.invalid/busybox:1 --image-pull-policy=Never --restart=Never --command -- sh -c 'echo up; exec sleep 100000' >/dev/null
  kubectl wait --for=condition=Ready pod/web "$TIMEOUT" >/dev/null
  [[ $(kubectl logs web) == up ]] || fail "no logs"
}

scenario_replay() { # a used token gets nothing, a token of the pool no name that is taken; both are told
  until_ok 10 eval '[[ $(api_with_token w1 /api) == 401 ]]' || fail "the used token still works"
  token shared
  cp "$WORK/shared.token" "$WORK/w1b.token"
  join w1b 12 "machineName: w1"
  until_ok 30 has w1b error "already" || fail "the second claimant: $(status w1b | field error)"
  until_ok 10 event CertificateClaimRefused
  # The machine that has the name may just have said there how it is; the next attempt says it again.
  until_ok 30 eval '[[ $(kubectl get nodebootstrap w1 -o jsonpath={.status.error}) == *already* ]]' || fail "the refusal is not in NodeBootstrap"
  in_ns cp curl -s http://$CONTROL_PLANE:8133/metrics | seen '^tendril_approver_alarms_total [1-9]' || fail "no alarm is counted"
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

scenario_fetched() { # machines whose image lacks the agent fetch it, by URL and from an OCI image, and a wrong digest is refused
  local sha; sha=$(<"$WORK/downloads/tendril-agent.sha256")
  token d1 --machine d1; token d2 --machine d2
  MACHINE_FILES=$WORK/bare PROGRAM="{url: 'https://$CONTROL_PLANE:8443/files/tendril-agent', sha256: $sha}" join d1 31
  until_ok 90 node_ready d1 || fail "d1: $(on d1 journalctl --no-pager -u tendril-fetch -o cat | tail -3)"
  machine down d1
  MACHINE_FILES=$WORK/bare PROGRAM="{image: '$(<"$WORK/downloads/tendril-agent.reference")', sha256: ${sha//[0-7]/8}}" join d2 32
  until_ok 60 eval 'on d2 journalctl --no-pager -u tendril-fetch -o cat | seen "computed checksum did NOT match"' || fail "d2: $(on d2 journalctl --no-pager -u tendril-fetch -o cat | tail -3)"
  ! on d2 test -e /usr/bin/tendril-agent || fail "a program with a wrong digest was put in place"
  on d2 sed -i "2s/.*/$sha/" /etc/tendril/program
  until_ok 90 node_ready d2 || fail "d2: $(on d2 journalctl --no-pager -u tendril-fetch -o cat | tail -3)"
  machine down d2
  kubectl delete node d1 d2 >/dev/null
}

scenario_proxy() { # a machine that reaches the API server through an HTTP proxy only becomes a node, its kubelet by the same way
  start proxy ip netns exec "$RIG_NAME-cp" "$HERE/proxy.py" $CONTROL_PLANE 3128
  token p1 --machine p1
  machine namespace p1 33
  in_ns p1 nft -f - <<<'table inet only_proxy { chain out { type filter hook output priority 0; tcp dport 6443 reject; }; }'
  join p1 33 "proxy: {url: 'http://$CONTROL_PLANE:3128'}"
  until_ok 90 node_ready p1 || fail "p1: $(status p1)"
  until_ok 30 is p1 phase done
  grep -q "connected $CONTROL_PLANE:6443" "$RIG/log/proxy.log" || fail "the proxy was not asked"
  machine down p1; stop proxy
  kubectl delete node p1 >/dev/null
}
