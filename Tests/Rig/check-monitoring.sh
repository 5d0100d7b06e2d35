#!/usr/bin/env bash
# Dashboards are JSON; each alert leads to a heading of docs/alerts.md, and what is scraped says which shoot it is of; promtool judges the
# alert rules where it is at hand, and kustomize makes of both what is deployed. That the metrics exist is the business of StreamTests and
# of the scenario `people`.
set -euo pipefail
cd "$(dirname "$0")/../../deploy/monitoring"
fail() { echo "error: $*" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for dashboard in dashboard*.json; do python3 -m json.tool "$dashboard" >/dev/null; done
# As docs/alerts.md says it.
sed '1,/^spec:/d; s/^  //' alerts.yaml >"$work/rules.yaml"
grep -qx 'groups:' "$work/rules.yaml" || fail "the rules are no file of rules"
# Whoever is woken by an alert reads what to do.
base=https://github.com/tendril/tendril/blob/main/docs/alerts.md
grep -qF "$base" ../../README.md || fail "README.md does not name $base, where alerts lead to"
alerts=$(sed -n 's/^ *- alert: //p' alerts.yaml)
[[ -n $alerts ]] || fail "there are no alerts"
[[ -z $(sort <<<"$alerts" | uniq -d) ]] || fail "two alerts have one name: $(sort <<<"$alerts" | uniq -d)"
for alert in $alerts; do
  grep -qx "## $alert" ../../docs/alerts.md || fail "docs/alerts.md has no heading for $alert"
  awk -v alert="$alert" '/- alert: / { own = $3 == alert } own && /runbook_url: / { print $2 }' alerts.yaml | grep -qxF "$base#${alert,,}" || fail "$alert has no runbook_url that leads to its heading"
done
for heading in $(sed -n 's/^## //p' ../../docs/alerts.md); do
  grep -qx "$heading" <<<"$alerts" || fail "docs/alerts.md explains $heading, which is no alert"
done
# An instance alone may be a pod of any shoot; a rate needs two samples, and many ask once a minute.
! grep -nE 'by \(instance|\[[1-9][0-9]?s\]|\[[1-4]m\]' alerts.yaml dashboard*.json || fail "not by namespace, or a rate of less than 5 minutes"
awk '/^ *- port: / { if (open != "") exit 1; open = $3 } /targetLabel: instance/ { open = ""; all++ } /^---/ { if (open != "") exit 1 } END { exit open != "" || !all }' scrape.yaml ||
  fail "an endpoint in scrape.yaml does not say of which namespace and pod it is (targetLabel: instance)"
if command -v promtool >/dev/null; then promtool check rules "$work/rules.yaml" >/dev/null; else echo "promtool is not at hand: alert rules were not checked"; fi
command -v kubectl >/dev/null && kubectl kustomize --help >/dev/null 2>&1 || { echo "kubectl is not at hand: nothing was put together"; exit; }
kubectl kustomize . >"$work/all.yaml"
diff <(grep '^kind:' "$work/all.yaml" | sort) <(printf 'kind: %s\n' ConfigMap PodMonitor PodMonitor PrometheusRule) || fail "deploy/monitoring holds something else"
for word in tendril-vpn.json tendril-coordinator.json 'grafana_dashboard: "1"' 'alert: TendrilNoLink'; do
  grep -qF "$word" "$work/all.yaml" || fail "deploy/monitoring has no $word"
done
