#!/usr/bin/env bash
# demo.sh [down]: a garden and seed on this machine, the coordinator in it, and a Shoot that becomes a cluster you can use.
# It stays up; DEMO_ONCE=1 ends it after the tour, and `make demo-down` at any time.
. "$(dirname "$0")/lib.sh"
if [[ ${1:-} == down ]]; then "$HERE/clean.sh"; echo "Nothing of the demo is left but the cache in $CACHE."; exit 0; fi
: "${TENDRIL_AGENT:?}" "${TENDRIL_COORDINATOR:?}" "${TENDRIL_VPN:?}" "${TENDRIL:?name the programs; make demo does}"
((EUID == 0)) || { echo "error: the demo makes network namespaces and machines, which needs root" >&2; exit 1; }
. "$HERE/seed.sh"
BEGIN=$(now)
# Bold on a terminal, plain elsewhere.
step() { if [[ -t 1 ]]; then printf '\n\033[1m[%4ss] %s\033[0m\n' "$(took "$BEGIN" | cut -d. -f1)" "$*"; else printf '\n[%4ss] %s\n' "$(took "$BEGIN" | cut -d. -f1)" "$*"; fi; }
garden() { in_ns op "$@" --kubeconfig "$PKI/admin.kubeconfig"; }

cat <<TEXT
Tendril's demo: Kubernetes clusters as a service, on this one machine.

  garden and seed ── one machine: real kubelet, containerd, etcd and control plane; the coordinator runs in it
   └ namespace shoot--demo--one ── the shoot's control plane as pods, tendril-vpn beside its API server
      └ worker ── a second machine, which boots with nothing but our user data and joins by itself

What it changes here: Debian packages are installed (make setup); Kubernetes is built from Debian's source and a machine
image is made, once, in $CACHE (about five minutes, 1.5 GB);
network namespaces $RIG_NAME-*, machines (systemd-nspawn) and their cgroups; files below $RIG.
The network of this machine is not touched. Remove all of it but the cache with: make demo-down
TEXT

[[ -z ${DEMO_ONCE:-} ]] || trap '"$HERE/clean.sh"' EXIT
if [[ ! -e $RIG/run/machine-seed.pid ]]; then
  step "Building what is not in the cache yet"
  "$HERE/clean.sh"; mkdir -p "$RIG"/{run,log,pki,machines,bin}
  "$HERE/prepare.sh"; worker_files
  step "Booting the seed"
  up
  step "Installing the coordinator: definitions, roles, a Deployment"
  coordinator_up
  start machines "$HERE/seed.sh" machines
else
  step "The seed is up already"
fi

step "Creating a Shoot"
k create namespace demo --dry-run=client -o yaml | k apply -f - >/dev/null
tee "$RIG/shoot.yaml" <<YAML
apiVersion: tendril.dev/v1alpha1
kind: Shoot
metadata: {name: one, namespace: demo}
spec:
  kubernetes: {version: $KUBERNETES_VERSION}
  provider: {type: local}
  workers: [{name: worker, minimum: 1, maximum: 2}]
YAML
garden "$TENDRIL" shoot create -n demo --file "$RIG/shoot.yaml"
garden "$TENDRIL" kubeconfig one -n demo --out "$RIG/shoot.kubeconfig"
garden "$TENDRIL" shoot get one -n demo

step "The shoot, by its own API server"
mkdir -p "$RIG/bin"
printf '#!/bin/sh\nexec ip netns exec %s-op %s --kubeconfig %s "$@"\n' "$RIG_NAME" "$KUBECTL" "$RIG/shoot.kubeconfig" >"$RIG/bin/shoot"
printf '#!/bin/sh\nexec ip netns exec %s-op %s --kubeconfig %s "$@"\n' "$RIG_NAME" "$KUBECTL" "$PKI/admin.kubeconfig" >"$RIG/bin/garden"
printf '#!/bin/sh\nexec ip netns exec %s-op env KUBECONFIG=%s %s "$@"\n' "$RIG_NAME" "$PKI/admin.kubeconfig" "$TENDRIL" >"$RIG/bin/tendril"
chmod +x "$RIG"/bin/*
PATH=$RIG/bin:$PATH
shoot get nodes,pods -A -o wide

step "A pod; its logs and a command in it come through the link: the control plane has no route to the node's pods"
shoot run hello --image=rig.invalid/busybox:1 --image-pull-policy=Never --restart=Never --command -- sh -c 'echo "hello from $(hostname)"; exec sleep 1000000' 2>/dev/null || true
shoot wait --for=condition=Ready pod/hello "$TIMEOUT" >/dev/null
printf '$ kubectl logs hello\n%s\n$ kubectl exec hello -- ip -4 addr show eth0\n' "$(shoot logs hello)"
shoot exec hello -- ip -4 addr show eth0 | sed -n 's/ *inet/  inet/p'

step "What the garden knows of it"
garden "$KUBECTL" -n demo get shoots
garden "$TENDRIL" node status one -n demo
garden "$TENDRIL" vpn status one -n demo
garden "$KUBECTL" -n demo get shoot one -o jsonpath='{range .status.conditions[*]}{.type}{"\t"}{.status}{"\t"}{.message}{"\n"}{end}' | column -t -s $'\t'

step "Done"
[[ -z ${DEMO_ONCE:-} ]] || exit 0
cat <<TEXT
Everything stays up. Try:
  export PATH=$RIG/bin:\$PATH
  shoot get pods -A                              # kubectl in the shoot
  garden -n shoot--demo--one get pods            # its control plane in the seed
  tendril shoot get -n demo                      # all shoots of the project
  tendril node status one -n demo; tendril vpn status one -n demo
  tendril shoot rotate one -n demo --start       # exchange all CAs and keys; later: --complete
  tendril shoot hibernate one -n demo            # put it to sleep, and: tendril shoot wake one -n demo
  garden -n demo edit shoot one                  # for example workers[0].minimum: 2
  tendril shoot delete one -n demo --confirm one
and at the end: make demo-down
TEXT
