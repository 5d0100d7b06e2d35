# shellcheck shell=bash
# From a Shoot to a cluster that works.

shoot_create() { # a Shoot becomes a cluster: control plane in the seed, one node that joined by itself
  k create namespace demo >/dev/null
  until_ok 10 k -n demo get serviceaccount default
  k apply -f - >/dev/null <<'YAML'
apiVersion: tendril.dev/v1alpha1
kind: Shoot
metadata: {name: one, namespace: demo}
spec:
  kubernetes: {version: 1.20.2}
  provider: {type: local}
  workers: [{name: worker, minimum: 1, maximum: 2}]
YAML
  until_ok 300 succeeded one Create || fail "$(k -n demo get shoot one -o yaml)"
  access one
  s get nodes,pods -A -o wide
}

shoot_link() { # kubectl reaches pods over the link, and pods reach their API server
  s run web --image=rig.invalid/busybox:1 --image-pull-policy=Never --restart=Never --command -- sh -c 'echo up; exec sleep 1000000' >/dev/null
  s wait --for=condition=Ready pod/web --timeout=60s >/dev/null
  [[ $(s logs web) == up && $(s exec web -- hostname) == web ]] || fail "logs or exec"
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
  s wait --for=condition=Ready pod/site --timeout=60s >/dev/null
  until_ok 30 site_asks || fail "$(site_asks 2>&1 | tail -2)"
}
