#!/usr/bin/env bash
# all.sh: the shoots' scenarios, and beside them, in a rig of its own, the node's: most of their time both wait for machines to
# boot and for Kubernetes. The demo comes last, by itself. What failed stands at the end of standard error.
. "$(dirname "$0")/lib.sh"
"$HERE/prepare.sh"
failed=() waited=()
nodes=$(mktemp)
trap 'kill "${waited[@]}" 2>/dev/null; wait; rm -f "$nodes"' EXIT
(RIG_NAME=node RIG=/tmp/tendril-node "$HERE/node-test.sh" > >(sed -u "s/^/node  /" | tee "$nodes") 2>&1) &
waited+=($!)
"$HERE/shoot-test.sh" || failed+=(shoots)
wait "${waited[0]}" || { failed+=(nodes); tail -80 "$nodes" >&2; }
waited=()
DEMO_ONCE=1 "$HERE/demo.sh" || failed+=(demo)
((${#failed[@]} == 0)) || { echo "error: failed: ${failed[*]}" >&2; exit 1; }
