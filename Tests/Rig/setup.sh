#!/usr/bin/env bash
# Installs the Debian packages that building, testing and measuring need; quick when nothing is missing.
set -euo pipefail

packages=(
  # to build
  pkg-config libssl-dev libmnl-dev libnftnl-dev libyaml-dev libevent-dev libcurl4-openssl-dev make binutils
  # to test and to show
  iproute2 iputils-ping iperf3 nftables systemd openssl curl
  # real clusters and machines to test in
  etcd-server etcd-client systemd-container mmdebstrap ignition zstd iptables conntrack golang-go dpkg-dev gcc libc6-dev cloud-init
  # to measure against
  openvpn wireguard-go wireguard-tools python3
)

missing=()
installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "${packages[@]}" 2>/dev/null | awk '$1 == "ii" { print $2 }' || true)
for package in "${packages[@]}"; do
  grep -qx "$package" <<<"$installed" || missing+=("$package")
done
if ((${#missing[@]} > 0)); then
  echo "installing: ${missing[*]}"
  if ((EUID != 0)); then
    echo "error: run as root, or install them yourself: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q
  apt-get install -y -q --no-install-recommends "${missing[@]}"
fi

command -v swift >/dev/null || { echo "error: Swift $(cat .swift-version) is not installed (https://www.swift.org/install)" >&2; exit 1; }
want=$(cat "$(dirname "$0")/../../.swift-version")
swift_home=$(dirname "$(readlink -f "$(command -v swift)")")
# The version without starting the compiler, where the toolchain says it in a file; else by asking.
if ! grep -qs "swift-$want-RELEASE" "$swift_home"/../../usr/share/swift/version.txt 2>/dev/null; then
  swift --version 2>&1 | grep -q "Swift version $want" || {
    echo "warning: .swift-version asks for Swift $want; this is $(swift --version 2>&1 | head -n 1)" >&2
  }
fi
