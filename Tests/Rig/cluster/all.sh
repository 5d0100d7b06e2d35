#!/usr/bin/env bash
# all.sh: the shoots' scenarios, and beside them, in rigs of their own, the node's; behind each of them some of those that bring
# coordinators besides the seed's own one, so that both ways are of about one length. Most of their time all wait for machines to boot and for
# Kubernetes; three at a time are hardly faster, for who waits asks, and what has to come within a time comes late. The demo comes last, by
# itself, and once more over itself. What failed stands at the end of standard error.
. "$(dirname "$0")/lib.sh"
CLOUDS=(cloud cloud_replace cloud_fails)
OTHERS=(kills overlay shared no_room)
failed=() beside=() log=$(mktemp -d)
trap 'kill "${beside[@]}" 2>/dev/null || true; wait; rm -rf "$log"' EXIT
# rig NAME COMMAND...: in a rig of that name; its lines begin with it
rig() {
  local code=0 began; began=$(now)
  RIG_NAME=$1 RIG=/tmp/tendril-$1 "${@:2}" > >(sed -u "s/^/$1  /" | tee "$log/$1") 2>&1 || code=$?
  say "rig $1: $(took "$began")s"
  ((code == 0)) || { touch "$log/$1.failed"; return $code; }
}

"$HERE/prepare.sh"
apart=("${CLOUDS[@]/#/-}" "${OTHERS[@]/#/-}")
{ rig node "$HERE/node-test.sh" || true; rig clouds "$HERE/shoot-test.sh" "${CLOUDS[@]}" down; } & beside+=($!)
{ rig shoots "$HERE/shoot-test.sh" "${apart[@]}" || true; rig others "$HERE/shoot-test.sh" "${OTHERS[@]}" down; } & beside+=($!)
wait "${beside[@]}" || true
beside=()
for name in node clouds shoots others; do [[ ! -e $log/$name.failed ]] || failed+=("$name"); done
# left: what a rig has left on this machine
left() {
  compgen -G "/run/netns/$RIG_NAME-*" || true
  compgen -G "/sys/fs/cgroup/*/$RIG_NAME-*" || true
  grep -F " $RIG/" /proc/mounts || true
  pgrep -af "$RIG/" || true
  [[ ! -e $RIG ]] || find "$RIG" -type f
}
{ "$HERE/demo.sh" && DEMO_ONCE=1 "$HERE/demo.sh"; } || failed+=(demo)
[[ -z $(left) ]] || { failed+=("demo: it leaves"); left >&2; }
((${#failed[@]} == 0)) && exit
# Why, once more: of a long run often just the end is at hand.
for name in "${failed[@]}"; do [[ ! -e $log/$name ]] || tail -40 "$log/$name" >&2; done
echo "error: failed: ${failed[*]}" >&2
exit 1
