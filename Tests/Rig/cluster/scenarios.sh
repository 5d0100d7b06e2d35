# Shared by the rig's two tests: runs scenarios, functions whose first line says what they show. Source it after lib.sh.

# seen PATTERN: whether a line of what comes matches; all of it is read, for who writes to somebody that has gone fails
seen() { local text; text=$(cat); grep -qa -- "$1" <<<"$text"; }
fail() { say "  $*"; return 1; }
# within SECONDS START: what began at START has taken no longer, but for PATIENCE.
within() {
  local seconds; seconds=$(took "$2")
  awk -v took="$seconds" -v limit="$1" -v patience="$PATIENCE" 'BEGIN { exit !(took <= limit * patience) }' || fail "took $seconds s, not $1"
}
finish() { [[ -n ${KEEP:-} ]] || "$HERE/clean.sh"; }

# run_scenarios PREFIX DIRECTORY [NAME...|-NAME...]: those named, all, or all but those behind a minus, in the order of their
# files. One that fails does not keep the others from running. The last lines say what failed and why; before them stands what
# `told` prints.
run_scenarios() {
  local prefix=$1 directory=$2 name names code t failed=(); shift 2
  names=$*
  [[ -n $names && $names != -* ]] || names=$(sed -nE "s/^${prefix}_([a-z_]+)\(\) .*/\1/p" "$directory"/*.sh)
  for name in $names; do
    [[ " $* " != *" -$name "* ]] || continue
    t=$(now)
    # Not inside a condition, where bash ignores errors.
    set +e
    (set -eE; trap 'say "  $name: line $LINENO of ${BASH_SOURCE[0]##*/}: $BASH_COMMAND"' ERR; "${prefix}_$name")
    code=$?; set -e
    if ((code == 0)); then code="ok   "; else code="FAIL "; failed+=("$name"); fi
    say "$code $(took "$t")s  $name: $(sed -n "s/^${prefix}_$name() { # //p" "$directory"/*.sh)"
  done
  ((${#failed[@]} == 0)) && return
  told >&2 || true
  echo "failed: ${failed[*]}" >&2
  awk '/^[0-9:]+  (ok|FAIL)  /{ if ($2 == "FAIL") printf "%s%s\n", told, $0; told = ""; next } { told = told $0 "\n" }' "$RIG/log/rig.log" | tail -40 >&2
  return 1
}
