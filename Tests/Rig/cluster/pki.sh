# Keys and certificates of the rig's control plane (EC P-256). Source it after lib.sh.

authority() { # NAME
  [[ -e $PKI/$1-ca.crt ]] && return
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
    -keyout "$PKI/$1-ca.key" -out "$PKI/$1-ca.crt" -subj "/CN=$1-ca" -addext basicConstraints=critical,CA:TRUE \
    -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
}
leaf() { # CA NAME SUBJECT [SAN]
  [[ -e $PKI/$2.crt ]] && return
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$PKI/$2.key" -out "$PKI/$2.csr" -subj "$3" 2>/dev/null
  openssl x509 -req -in "$PKI/$2.csr" -CA "$PKI/$1-ca.crt" -CAkey "$PKI/$1-ca.key" -CAcreateserial -days 365 -out "$PKI/$2.crt" -extfile <(
    echo "basicConstraints=critical,CA:FALSE"; echo "keyUsage=critical,digitalSignature"
    echo "extendedKeyUsage=serverAuth,clientAuth"; echo "authorityKeyIdentifier=keyid"
    [[ -z ${4:-} ]] || echo "subjectAltName=$4") 2>/dev/null
  rm "$PKI/$2.csr"
}
kubeconfig() { # NAME
  cat >"$PKI/$1.kubeconfig" <<YAML
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://$CONTROL_PLANE:6443", certificate-authority-data: "$(base64 -w0 <"$PKI/cluster-ca.crt")"}}]
users: [{name: u, user: {client-certificate-data: "$(base64 -w0 <"$PKI/$1.crt")", client-key-data: "$(base64 -w0 <"$PKI/$1.key")"}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
YAML
}
pki() {
  local name
  for name in cluster front-proxy etcd agents; do authority "$name"; done
  # Two authorities vouch for clients: the cluster's, and the one of the coordinator's own signers.
  cat "$PKI/cluster-ca.crt" "$PKI/agents-ca.crt" >"$PKI/client-ca.crt"
  leaf etcd etcd-server /CN=etcd IP:127.0.0.1,DNS:localhost
  leaf etcd etcd-client /CN=kube-apiserver
  leaf cluster apiserver /CN=kube-apiserver \
    "IP:$CONTROL_PLANE,IP:$NET6::1,IP:127.0.0.1,IP:$SERVICES.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc"
  leaf cluster kubelet-client /CN=kube-apiserver-kubelet-client
  leaf front-proxy front-proxy /CN=front-proxy
  leaf cluster admin /O=system:masters/CN=admin
  for name in kube-controller-manager kube-scheduler; do leaf cluster "$name" "/CN=system:$name"; done
  [[ -e $PKI/sa.key ]] || { openssl genrsa -out "$PKI/sa.key" 2048 2>/dev/null; openssl rsa -in "$PKI/sa.key" -pubout -out "$PKI/sa.pub" 2>/dev/null; }
  for name in admin kube-controller-manager kube-scheduler; do kubeconfig "$name"; done
}
