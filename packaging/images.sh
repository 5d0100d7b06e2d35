#!/usr/bin/env bash
# images.sh PROGRAMS_DIRECTORY OUT_DIRECTORY [REGISTRY]: OCI archives of what runs as pods: the program, its libraries, the CA bundle.
# No shell, not root, equal bytes for equal programs; neither a registry nor a daemon is needed.
set -euo pipefail
pack=$(dirname "$0")/image.py
programs=${1:?} out=${2:?} registry=${3:-ghcr.io/tendril}
version=$("$programs/tendril-coordinator" --version)
mkdir -p "$out"
for name in tendril-coordinator tendril-vpn tendril-agent; do
  "$pack" "$out/$name.tar" "$registry/$name:$version" --user 65532:65532 --entrypoint "/usr/bin/$name" \
    "$programs/$name=/usr/bin/$name" /etc/ssl/certs/ca-certificates.crt
done
