# shellcheck shell=bash
# From a Shoot to a cluster that works.

shoot_create() { # a Shoot becomes a cluster: control plane in the seed, one node that joined by itself
  until_ok 10 k -n demo get serviceaccount default
  k apply -f - >/dev/null <<YAML
apiVersion: tendril.dev/v1alpha1
kind: Shoot
metadata: {name: one, namespace: demo}
spec:
  kubernetes: {version: $KUBERNETES_VERSION}
  provider: {type: local}
  workers: [{name: worker, minimum: 1, maximum: 2}]
  controlPlane: {audit: Request}
YAML
  # A seed of which nothing is ever heard, for the scenario `silent_seed`.
  k apply -f - >/dev/null <<YAML
apiVersion: tendril.dev/v1alpha1
kind: Seed
metadata: {name: far}
spec: {networks: {pods: 10.1.0.0/16, services: 10.2.0.0/16, nodes: 10.3.0.0/16}, exposure: {type: NodePort, address: 198.51.100.1}}
---
apiVersion: tendril.dev/v1alpha1
kind: Shoot
metadata: {name: away, namespace: demo}
spec: {seedName: far, kubernetes: {version: $KUBERNETES_VERSION}, provider: {type: local}, workers: [{name: worker}]}
YAML
  until_ok 300 succeeded one Create || fail "$(k -n demo get shoot one -o yaml)"
  access one
  s get nodes,pods -A -o wide
}

shoot_issued() { # every certificate that is there stands in the log of who signed it
  local missing
  { k -n tendril-system logs deployment/tendril-coordinator; k -n shoot--demo--one logs deployment/tendril-approver; } >"$WORK/signed.log"
  missing=$({ k -n shoot--demo--one get secrets -o json; s get certificatesigningrequests -o json; } | python3 -c '
import base64, hashlib, json, re, ssl, sys
log, text, position, seen = open(sys.argv[1]).read(), sys.stdin.read(), 0, 0
while position < len(text.rstrip()):
    items, position = json.JSONDecoder().raw_decode(text, position)
    position += len(text[position:]) - len(text[position:].lstrip())
    for item in items["items"]:
        # Kubelets are signed for by kube-controller-manager, which has a log of its own.
        if item.get("spec", {}).get("signerName", "tendril.dev/").startswith("tendril.dev/"):
            data = {**(item.get("data") or {}), **(item.get("status") or {})}
            for key in ("tls.crt", "ca.crt" if "ca.key" in data else "", "certificate"):
                for pem in re.findall("-----BEGIN CERT.*?-----END CERTIFICATE-----", base64.b64decode(data.get(key, "")).decode(), re.S):
                    seen += 1
                    if hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest() not in log: print(item["metadata"]["name"], key)
if seen < 15: print("only", seen, "certificates seen")' "$WORK/signed.log")
  [[ -z $missing ]] || fail "$missing"
}

shoot_link() { # kubectl reaches pods over the link, and pods reach their API server
  s run web --image=rig.invalid/busybox:1 --image-pull-policy=Never --restart=Never --command -- sh -c 'echo up; exec sleep 1000000' >/dev/null
  s wait --for=condition=Ready pod/web "$TIMEOUT" >/dev/null
  [[ $(s logs web) == up && $(s exec web -- hostname) == web ]] || fail "logs or exec"
}

shoot_audit() { # what people do stands in the API server's log in the seed, and nothing that is in a Secret
  s create secret generic audited --from-literal=a=veiled-4711 >/dev/null
  s create configmap audited --from-literal=a=veiled-4711 >/dev/null
  s -n default create serviceaccount audited >/dev/null
  s delete secret,configmap,serviceaccount audited >/dev/null
  until_ok 20 eval 'k -n shoot--demo--one logs deploy/kube-apiserver -c kube-apiserver >"$WORK/audit.log" && grep -q "serviceaccounts/audited\".*\"verb\":\"delete\"" "$WORK/audit.log"' || fail "$(grep audited "$WORK/audit.log" | tail -3)"
  python3 - "$WORK/audit.log" <<'PY' || fail "see $WORK/audit.log"
import base64, json, sys
text = open(sys.argv[1], errors="replace").read()
events = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
def of(verb, resource):
    return [e for e in events if e["verb"] == verb and (e.get("objectRef") or {}).get("resource") == resource and e["objectRef"].get("name") == "audited"]
for verb in ["create", "delete"]:
    for resource in ["secrets", "configmaps", "serviceaccounts"]:
        (event,) = of(verb, resource)
        assert event["user"]["username"] == "tendril:admin" and event["responseStatus"]["code"] in (200, 201), event
# The body of what holds no secrets is there: so much was asked for.
assert of("create", "serviceaccounts")[0]["requestObject"]["metadata"]["name"] == "audited"
assert "veiled-4711" not in text and base64.b64encode(b"veiled-4711").decode() not in text
assert not [e for e in events if (e.get("objectRef") or {}).get("resource") in ("leases", "events")]
PY
}

# site_asks: the pod `site` speaks to the API server as pods do, by the files that it finds
site_asks() {
  local ask='import ssl,urllib.request as u
c=ssl.create_default_context(cafile="/var/run/secrets/kubernetes.io/serviceaccount/ca.crt")
t=open("/var/run/secrets/kubernetes.io/serviceaccount/token").read()
r=u.Request("https://"+__import__("os").environ["KUBERNETES_SERVICE_HOST"]+"/api",headers={"Authorization":"Bearer "+t})
print(u.urlopen(r,context=c,timeout=10).status)'
  [[ $(s exec site -- /usr/bin/python3.11 -c "$ask") == 200 ]]
}

shoot_pods_way() { # pods reach the API server by the kubernetes Service, through kube-proxy and the link
  s run site --image=rig.invalid/server:1 --image-pull-policy=Never --restart=Never --command -- /usr/bin/python3.11 /srv/server.py 8080 >/dev/null
  s wait --for=condition=Ready pod/site "$TIMEOUT" >/dev/null
  until_ok 30 site_asks || fail "$(site_asks 2>&1 | tail -2)"
}

# t ARGUMENT...: the people's command line in the garden
t() { in_ns op env KUBECONFIG="$PKI/admin.kubeconfig" "$TENDRIL" "$@" -n demo; }
# metrics NAMESPACE COMPONENT: what a pod serves to Prometheus
metrics() { k get --raw "/api/v1/namespaces/$1/pods/$(k -n "$1" get pods -l "app.kubernetes.io/name=$2" -o jsonpath='{.items[0].metadata.name}'):8133/proxy/metrics"; }

shoot_people() { # the command line shows shoots, machines and links, says what is wrong with them, and ends with a code that tells
  access one; local m; m=$(s get nodes -o jsonpath='{.items[0].metadata.name}')
  [[ $(t shoot get one) == *"one "*" True "* ]] || fail "$(t shoot get one)"
  [[ $(t shoot get --output json | python3 -c 'import json,sys; print([s["status"]["lastOperation"]["state"] for s in json.load(sys.stdin) if s["metadata"]["name"] == "one"])') == "['Succeeded']" ]] || fail "$(t shoot get --output json)"
  [[ $(t shoot get one --watch --output json | tail -1 | python3 -c 'import json,sys; print(json.load(sys.stdin)["status"]["lastOperation"]["state"])') == Succeeded ]] || fail "$(t shoot get one --watch --output json)"
  [[ $(t node status one) == *"$m "*worker*True*"v$KUBERNETES_VERSION"*"s ago"* ]] || fail "$(t node status one)"
  [[ $(t vpn status one --output json | python3 -c 'import json,sys; l, = json.load(sys.stdin); print(l["node"], l["isUp"], 0 < l["milliseconds"] < 1000)') == "$m True True" ]] || fail "$(t vpn status one)"
  local code=0 text
  "$HERE/machine.sh" sh "$m" systemctl stop tendril-vpn
  link_is_down() { code=0; text=$(t vpn status one 2>&1) || code=$?; [[ $code == 69 && $text == *"$m "*down* ]]; }
  until_ok 5 link_is_down || { "$HERE/machine.sh" sh "$m" systemctl start tendril-vpn; fail "$code: $text"; }
  "$HERE/machine.sh" sh "$m" systemctl start tendril-vpn
  until_ok 20 t vpn status one
  code=0; t shoot rotate one --complete >/dev/null 2>"$WORK/error" || code=$?
  [[ $code == 78 ]] && grep -q "no rotation is prepared" "$WORK/error" || fail "$code: $(<"$WORK/error")"
  code=0; t kubeconfig nobody >/dev/null 2>&1 || code=$?; [[ $code == 69 ]] || fail "a shoot that is not there: $code"
  local name served; served=$(metrics tendril-system tendril-coordinator; metrics shoot--demo--one tendril-approver)
  for name in $(grep -ohE 'tendril_(coordinator|approver)_[a-z_]+' "$HERE"/../../../docs/{alerts.yaml,dashboard-coordinator.json,operations.md,alerts.md,seeds.md,shoots.md} | sort -u); do
    grep -q "^# TYPE $name " <<<"$served" || fail "$name is drawn or documented, and not served"
  done
  grep -q '^tendril_coordinator_shoot_conditions{condition="EveryNodeReady",status="True"} 1' <<<"$served" || fail "$(grep conditions <<<"$served")"
}

shoot_url_webhook() { # a webhook that a tenant names by a URL is asked by the link alone, which does not lead into the seed
  s apply -f - >/dev/null <<YAML
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: inward}
webhooks:
- name: inward.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Fail
  timeoutSeconds: 5
  clientConfig: {url: "https://$SERVICES.0.1/"}
  rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
  objectSelector: {matchLabels: {ask: inward}}
YAML
  asks() { s create -f - 2>&1 <<<'{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ask", "namespace": "default", "labels": {"ask": "inward"}}}'; }
  is_refused() { [[ $(asks) == *"$SERVICES.0.1 is in none of the shoot's networks"* ]]; }
  until_ok 20 is_refused || fail "$(asks)"
  s delete validatingwebhookconfiguration inward >/dev/null
}

# person CLAIM=JSON...: kubectl as somebody who shows a token with these claims, of whoever has the key SIGNER
person() {
  local token; token=$("$HERE/issuer.py" token "$ISSUER" "${SIGNER:-$WORK/issuer.key}" "$@")
  s config view --raw -o json | python3 -c 'import json, sys
c = json.load(sys.stdin); c["users"][0]["user"] = {"token": sys.argv[1]}; json.dump(c, sys.stdout)' "$token" >"$WORK/person"
}
shoot_oidc() { # people log in by tokens of an identity provider, which the API server asks by the link: under names with a prefix, and by no other token
  since 34 || { say "  left out: before Kubernetes 1.34 an API server asks a provider from the seed's network"; return 0; }
  local ISSUER=https://id.rig.test:9001 node
  mine=(aud='"kubernetes"' sub='"jo"' groups='["crew"]' org='"rig"')
  is_jo() { person "${mine[@]}"; [[ $(with "$WORK/person" auth whoami -o jsonpath='{.status.userInfo.username} {.status.userInfo.groups[0]}') == "oidc:jo oidc:crew" ]]; }
  is_refused() { person "$@"; [[ $(with "$WORK/person" auth whoami 2>&1) == *Unauthorized* ]]; }
  authority issuer; leaf issuer issuer /CN=issuer DNS:id.rig.test
  openssl genrsa -out "$WORK/issuer.key" 2048 2>/dev/null; openssl genrsa -out "$WORK/other.key" 2048 2>/dev/null
  start issuer ip netns exec "$RIG_NAME-op" "$HERE/issuer.py" serve "$ISSUER" "$WORK/issuer.key" "$PKI/issuer.crt" "$PKI/issuer.key"
  for node in $(s get nodes -o jsonpath='{.items[*].metadata.name}'); do "$HERE/machine.sh" sh "$node" sh -c "echo $NET.250 id.rig.test >>/etc/hosts"; done
  k -n demo patch shoot one --type=merge -p "$(python3 -c 'import json, sys
print(json.dumps({"spec": {"controlPlane": {"oidc": {"issuerURL": sys.argv[1], "clientID": "kubernetes", "groupsClaim": "groups",
    "requiredClaims": {"org": "rig"}, "certificateAuthority": open(sys.argv[2]).read()}}}}))' "$ISSUER" "$PKI/issuer-ca.crt")" >/dev/null
  until_ok 120 succeeded one Reconcile || fail "$(k -n demo get shoot one -o yaml)"
  until_ok 60 is_jo || fail "$(with "$WORK/person" auth whoami 2>&1; k -n shoot--demo--one logs deploy/kube-apiserver -c kube-apiserver | grep -i oidc | tail -5; k -n shoot--demo--one logs deploy/kube-apiserver -c tendril-vpn | tail -5)"
  # A name alone is no right.
  ! with "$WORK/person" get nodes >/dev/null 2>&1 || fail "whoever logs in may do something"
  s create clusterrolebinding crew --clusterrole=view --group=oidc:crew >/dev/null
  until_ok 10 with "$WORK/person" get pods || fail "$(with "$WORK/person" get pods 2>&1)"
  s delete clusterrolebinding crew >/dev/null
  is_refused aud='"others"' "${mine[@]:1}" || fail "a token for somebody else is taken"
  is_refused "${mine[@]:0:3}" org='"others"' || fail "a token without a claim that it must have is taken"
  is_refused "${mine[@]}" exp=1 || fail "a token that has ended is taken"
  SIGNER=$WORK/other.key is_refused "${mine[@]}" || fail "a token that somebody else has signed is taken"
  k -n demo patch shoot one --type=merge -p '{"spec":{"controlPlane":{"oidc":null}}}' >/dev/null
  until_ok 120 succeeded one Reconcile || fail "$(k -n demo get shoot one -o yaml)"
  until_ok 30 is_refused "${mine[@]}" || fail "a token is taken of a provider that is none any more"
  stop issuer
}
