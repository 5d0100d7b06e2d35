#!/usr/bin/env bash
# images.sh PROGRAMS_DIRECTORY OUT_DIRECTORY [REGISTRY]: OCI archives of what runs as pods: the program, its libraries, the CA bundle.
# No shell, not root, equal bytes for equal programs; neither a registry nor a daemon is needed. With TERRAFORM (Terraform or
# OpenTofu) and PROVIDERS (an unpacked mirror with hashicorp/aws) one more, tendril-coordinator-terraform, holds both.
set -euo pipefail
pack=$(dirname "$0")/image.py
programs=${1:?} out=${2:?} registry=${3:-ghcr.io/tendril}
version=$("$programs/tendril-coordinator" --version)
mkdir -p "$out"
# image NAME PROGRAM [ARGUMENT...]
image() {
  "$pack" "$out/$1.tar" "$registry/$1:$version" --user 65532:65532 --entrypoint "/usr/bin/$2" \
    "$programs/$2=/usr/bin/$2" /etc/ssl/certs/ca-certificates.crt "${@:3}"
}
for name in tendril-coordinator tendril-vpn tendril-agent; do image $name $name; done
[[ -n ${TERRAFORM:-} ]] || exit 0
: "${PROVIDERS:?names the mirror of providers: HOST/NAMESPACE/TYPE/VERSION/OS_ARCH/ in it}"
compgen -G "$PROVIDERS/*/hashicorp/aws/*/*/terraform-provider-aws*" >/dev/null || { echo "error: PROVIDERS: there is no unpacked hashicorp/aws below $PROVIDERS" >&2; exit 78; }
settings=$(mktemp)
trap 'rm -f "$settings"' EXIT
printf '%s\n' 'disable_checkpoint = true' 'provider_installation {' '  filesystem_mirror { path = "/opt/terraform/providers" }' '}' >"$settings"
image tendril-coordinator-terraform tendril-coordinator "$TERRAFORM=/usr/bin/terraform" "$settings=/etc/terraform/cli.tfrc" \
  --tree "$(realpath "$PROVIDERS")=/opt/terraform/providers"
