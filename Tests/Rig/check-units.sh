#!/usr/bin/env bash
# systemd's own judgement of our units: they are well-formed, and exposed no more than 2.0 of 10; the agent,
# which writes files of root's, no more than 2.6.
set -euo pipefail
cd "$(dirname "$0")/../.."
for unit in systemd/*.service; do
  # verify wants the program to exist; the copy points to one that does.
  copy=$(mktemp -d)/$(basename "$unit")
  sed 's#^ExecStart=/usr/bin/tendril-[a-z]*#ExecStart=/bin/true#' "$unit" >"$copy"
  systemd-analyze verify --man=no "$copy"
  # The threshold is in tenths.
  systemd-analyze security --offline=true --threshold=$([[ $unit == *agent* ]] && echo 26 || echo 20) "$copy" | tail -n 1
  rm -r "$(dirname "$copy")"
done
