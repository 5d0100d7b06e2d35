#!/bin/sh
# Stands for Terraform in tests: a cloud is a file of lines "ADDRESS ID", which all working directories of a workspace share.
# The file `faults` beside it says for a command how it fails: "plan hang", "output garbage", "apply forget", "apply half", or
# "apply linger", which goes on until it is interrupted, and then comes half-way.
set -eu
directory=${1#-chdir=}; command=$2; shift 2
workspace=$(dirname "$(dirname "$directory")"); cloud=$workspace/cloud; state=$directory/terraform.tfstate
touch "$cloud"
echo "$command" >>"$workspace/log"; echo "$(basename "$directory") $command" >>"$workspace/runs"
fault=$(sed -n "s/^$command //p" "$workspace/faults" 2>/dev/null || true)

known() { sed -n 's/.*"resources":"\([^"]*\)".*/\1/p' "$state" 2>/dev/null | tr ';' '\n' | grep . || true; }
remember() { # LINES: what is known from now on
  serial=$(($(sed -n 's/.*"serial":\([0-9]*\).*/\1/p' "$state" 2>/dev/null || echo 0) + 1))
  printf '{"lineage":"l","serial":%s,"resources":"%s"}' "$serial" "$(echo "$1" | tr '\n' ';')" >"$state"
}

case $fault in
  hang) exec sleep 600 ;;
  silent-hang) exec >/dev/null 2>&1; exec sleep 600 ;;
  linger)
    trap 'interrupted=yes' INT
    echo yes >"$workspace/lingers"
    while [ -z "${interrupted:-}" ]; do sleep 0.05 || true; done
    fault=half
    ;;
  wait) while [ ! -e "$workspace/go" ]; do sleep 0.02; done ;;
  garbage) printf '\033[1m\377{"vpc": <html>'; exit 0 ;;
  empty) echo '{}'; exit 0 ;;
  fail) echo '│ Error: api error RequestLimitExceeded: slow down'; exit 1 ;;
esac
case $command in
  init) ;;
  plan) echo "Plan: 2 to add"; : >"$directory/plan" ;;
  show)
    known >"$directory/known"
    printf '{"resource_changes":['
    grep -vxFf "$directory/known" "$cloud" | while read -r address id; do
      printf '{"address":"%s","change":{"importing":{"id":"%s"}}},' "$address" "$id"
    done
    printf '{"address":"other","change":{"actions":["create"]}}]}'
    ;;
  import)
    while [ $# -gt 2 ]; do shift; done
    remember "$(known; echo "$1 $2")"
    ;;
  apply)
    for address in aws_vpc.shoot aws_subnet.nodes; do
      grep -q "^$address " "$cloud" || echo "$address $address-$(wc -l <"$workspace/log")" >>"$cloud"
      [ "$fault" != half ] || { remember "$(cat "$cloud")"; echo 'Error: VpcLimitExceeded'; exit 1; }
    done
    [ "$fault" != forget ] || kill -KILL $$
    remember "$(cat "$cloud")"
    ;;
  output) [ ! -e "$workspace/outputs" ] || { cat "$workspace/outputs"; exit 0; }
    printf '{"subnets":{"value":["s"]},"securityGroup":{"value":"g"},"machines":{"value":{}}}' ;;
  destroy)
    known >"$directory/known"
    grep -vxFf "$directory/known" "$cloud" >"$cloud.new" || true
    mv "$cloud.new" "$cloud"
    remember ""
    ;;
esac
