#!/usr/bin/env bash
# The dashboard is JSON; promtool judges the alert rules where it is at hand. That the metrics exist is StreamTests' business.
set -euo pipefail
cd "$(dirname "$0")/../.."
python3 -m json.tool docs/dashboard.json >/dev/null
if command -v promtool >/dev/null; then promtool check rules docs/alerts.yaml >/dev/null; else echo "promtool is not at hand: alert rules were not checked"; fi
