#!/usr/bin/env bash
# Builds what the rig needs and is not in the cache yet: Kubernetes (four minutes), the machine image (one), images.
. "$(dirname "$0")/lib.sh"
# Programs that somebody names are taken as they are.
[[ $KUBERNETES_BIN != "$BUILT" ]] || "$HERE/kubernetes.sh" "$BUILT"
"$HERE/rootfs.sh"
"$HERE/images.sh"
