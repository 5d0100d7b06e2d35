#!/usr/bin/env bash
# Dashboards are JSON; promtool judges the alert rules where it is at hand, and kustomize makes of both what is deployed. That the metrics
# exist is the business of StreamTests and of the scenario `people`.
set -euo pipefail
cd "$(dirname "$0")/../../deploy/monitoring"
fail() { echo "error: $*" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for dashboard in dashboard*.json; do python3 -m json.tool "$dashboard" >/dev/null; done
# As docs/operations.md says it.
sed '1,/^spec:/d; s/^  //' alerts.yaml >"$work/rules.yaml"
grep -qx 'groups:' "$work/rules.yaml" || fail "the rules are no file of rules"
if command -v promtool >/dev/null; then promtool check rules "$work/rules.yaml" >/dev/null; else echo "promtool is not at hand: alert rules were not checked"; fi
command -v kubectl >/dev/null && kubectl kustomize --help >/dev/null 2>&1 || { echo "kubectl is not at hand: nothing was put together"; exit; }
kubectl kustomize . >"$work/all.yaml"
diff <(grep '^kind:' "$work/all.yaml" | sort) <(printf 'kind: %s\n' ConfigMap PodMonitor PodMonitor PrometheusRule) || fail "deploy/monitoring holds something else"
for word in tendril-vpn.json tendril-coordinator.json 'grafana_dashboard: "1"' 'alert: TendrilNoLink'; do
  grep -qF "$word" "$work/all.yaml" || fail "deploy/monitoring has no $word"
done
