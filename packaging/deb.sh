#!/usr/bin/env bash
# deb.sh PROGRAMS DIRECTORY: Debian packages for this machine's architecture.
set -euo pipefail
cd "$(dirname "$0")/.."
from=$1 out=$2
architecture=$(dpkg --print-architecture)
version=$("$from/tendril-agent" --version)
mkdir -p "$out"
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

# package NAME DESCRIPTION DEPENDS PROGRAM...
package() {
  local name=$1 description=$2 depends=$3 root=$stage/$1; shift 3
  packaging/install.sh "$from" "$root" /usr "$@"
  install -D -m 0644 LICENSE "$root/usr/share/doc/$name/copyright"
  cp -rL docs "$root/usr/share/doc/$name/"
  mkdir -p "$root/DEBIAN"
  cat >"$root/DEBIAN/control" <<CONTROL
Package: $name
Version: $version
Architecture: $architecture
Maintainer: The Tendril maintainers <maintainers@tendril.dev>
Section: admin
Priority: optional
Installed-Size: $(du -sk "$root/usr" | cut -f1)
Depends: $depends
Description: $description
CONTROL
  # Nothing is started by installing: a machine's user data does that.
  cat >"$root/DEBIAN/postinst" <<'POSTINST'
#!/bin/sh
set -e
if command -v systemd-sysusers >/dev/null; then systemd-sysusers || true; fi
if [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi
POSTINST
  chmod 0755 "$root/DEBIAN/postinst"
  dpkg-deb --root-owner-group --build "$root" "$out/${name}_${version}_$architecture.deb"
}

libraries="libc6 (>= 2.36), libgcc-s1, libstdc++6, libssl3, libyaml-0-2, libevent-2.1-7, libevent-openssl-2.1-7"
package tendril-node "Tendril's programs for Kubernetes nodes: agent and tunnel" "$libraries, libcurl4, libmnl0, libnftnl11, systemd" tendril-agent tendril-vpn
package tendril-coordinator "Tendril's control-plane side" "$libraries, libcurl4" tendril-coordinator tendril
