#!/usr/bin/env bash
# Builds what the rig needs and is not in the cache yet: Kubernetes (four minutes), the machine image (one), images.
. "$(dirname "$0")/lib.sh"
"$HERE/kubernetes.sh" "$KUBERNETES_BIN"
"$HERE/rootfs.sh"
"$HERE/images.sh"
