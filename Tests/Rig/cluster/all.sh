#!/usr/bin/env bash
# all.sh: the shoots' scenarios, and beside them, in a rig of its own, the node's scenarios and then the demo. Most of their time
# both wait for machines to boot and for Kubernetes.
. "$(dirname "$0")/lib.sh"
"$HERE/prepare.sh"
failed=() waited=()
trap 'kill "${waited[@]}" 2>/dev/null; wait' EXIT
# beside NAME COMMAND...: in the background, each line with the name before it
beside() {
  local name=$1; shift
  (RIG_NAME=$name RIG=/tmp/tendril-$name "$@" > >(sed -u "s/^/$name  /") 2>&1) &
  waited+=($!)
}
nodes() { "$HERE/node-test.sh"; DEMO_ONCE=1 "$HERE/demo.sh"; }
beside node nodes
"$HERE/shoot-test.sh" || failed+=(shoots)
wait "${waited[0]}" || failed+=(node)
waited=()
((${#failed[@]} == 0)) || { echo "error: failed: ${failed[*]}" >&2; exit 1; }
