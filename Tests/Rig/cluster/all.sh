#!/usr/bin/env bash
# all.sh: the shoots' scenarios, and beside them, in a rig of its own, the node's: most of their time both wait for machines to
# boot and for Kubernetes. The demo comes last, by itself. What failed stands at the end of standard error.
. "$(dirname "$0")/lib.sh"
"$HERE/prepare.sh"
failed=() nodes='' log=$(mktemp)
trap '[[ -z $nodes ]] || kill "$nodes" 2>/dev/null || true; wait; rm -f "$log"' EXIT
(RIG_NAME=node RIG=/tmp/tendril-node "$HERE/node-test.sh" > >(sed -u "s/^/node  /" | tee "$log") 2>&1) &
nodes=$!
"$HERE/shoot-test.sh" || failed+=(shoots)
wait "$nodes" || { failed+=(nodes); tail -80 "$log" >&2; }
nodes=''
DEMO_ONCE=1 "$HERE/demo.sh" || failed+=(demo)
((${#failed[@]} == 0)) || { echo "error: failed: ${failed[*]}" >&2; exit 1; }
