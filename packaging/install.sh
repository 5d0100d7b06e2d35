#!/usr/bin/env bash
# install.sh PROGRAMS DESTDIR PREFIX [PROGRAM...]: puts programs, their completions, manual pages and units where distributions expect them.
set -euo pipefail
cd "$(dirname "$0")/.."
from=$1 to=$2 prefix=${3:-/usr}; shift 3
(($# > 0)) || set -- tendril-vpn tendril-agent tendril-coordinator tendril

for program in "$@"; do
  install -D -m 0755 "$from/$program" "$to$prefix/bin/$program"
  strip "$to$prefix/bin/$program"
  mkdir -p "$to$prefix/share/bash-completion/completions" "$to$prefix/share/zsh/vendor-completions" "$to$prefix/share/fish/vendor_completions.d"
  "$from/$program" --generate-completion-script bash >"$to$prefix/share/bash-completion/completions/$program"
  "$from/$program" --generate-completion-script zsh >"$to$prefix/share/zsh/vendor-completions/_$program"
  section=$([[ $program == tendril ]] && echo 1 || echo 8)
  mkdir -p "$to$prefix/share/man/man$section"
  packaging/man.py "$from/$program" | gzip -9n >"$to$prefix/share/man/man$section/$program.$section.gz"
  "$from/$program" --generate-completion-script fish >"$to$prefix/share/fish/vendor_completions.d/$program.fish"
done
# As `kubectl tendril` too, which kubectl completes by another program.
if [[ " $* " == *" tendril "* ]]; then
  ln -sfn tendril "$to$prefix/bin/kubectl-tendril"
  install -m 0755 packaging/kubectl_complete-tendril "$to$prefix/bin/"
fi
for unit in systemd/*.service; do
  for program in "$@"; do
    [[ $program == tendril || $(basename "$unit") != "$program"[-.]* ]] || install -D -m 0644 "$unit" "$to/lib/systemd/system/$(basename "$unit")"
  done
done
if [[ " $* " == *" tendril-vpn "* ]]; then install -D -m 0644 systemd/tendril-vpn.sysusers "$to/usr/lib/sysusers.d/tendril-vpn.conf"; fi
