#!/usr/bin/env bash
# Dashboards are JSON; promtool judges the alert rules where it is at hand. That the metrics exist is the business of StreamTests and of
# the scenario `people`.
set -euo pipefail
cd "$(dirname "$0")/../.."
for dashboard in docs/dashboard*.json; do python3 -m json.tool "$dashboard" >/dev/null; done
if command -v promtool >/dev/null; then promtool check rules docs/alerts.yaml >/dev/null; else echo "promtool is not at hand: alert rules were not checked"; fi
