#!/usr/bin/env bash
# The shipped program stays small and free of full Foundation and ICU. Usage: check-program.sh PROGRAM MIB
set -euo pipefail
limit=$(($2 * 1024 * 1024))
copy=$(mktemp)
trap 'rm -f "$copy"' EXIT
cp "$1" "$copy"
strip "$copy"
size=$(stat -c %s "$copy")
echo "$1: $size bytes stripped, limit $limit"
((size <= limit)) || { echo "error: larger than $2 MiB" >&2; exit 1; }
if nm "$1" | grep -qE 'icudt|_CFRuntimeCreateInstance'; then
  echo "error: full Foundation or ICU is linked in" >&2
  exit 1
fi
if ldd "$copy" | grep -qE 'libFoundation|libswift'; then
  echo "error: a Swift library is linked dynamically" >&2
  exit 1
fi
