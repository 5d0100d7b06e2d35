#!/usr/bin/env bash
# Builds the Kubernetes binaries of the cluster rig from Debian's own `kubernetes` source package.
#
#   kubernetes.sh DIRECTORY
#
# leaves kube-apiserver, kube-controller-manager, kube-scheduler, kubelet and kube-proxy in DIRECTORY, and kubectl
# where the machine has none.
# Needs root for apt-get. About four minutes on two cores; nothing to do when DIRECTORY is complete.
set -euo pipefail

out=${1:?usage: kubernetes.sh DIRECTORY}
commands=(kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy)
type -P kubectl >/dev/null || commands+=(kubectl)

complete() { local c; for c in "${commands[@]}"; do [[ -x $out/$c ]] || return 1; done; }
complete && exit 0

work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
mkdir -p "$out" "$work"/{lists/partial,sources,src}

# Source lists of their own, derived from the machine's: the machine's configuration stays as it is.
for file in /etc/apt/sources.list.d/*.sources; do
  [[ -e $file ]] && sed 's/^Types:.*/Types: deb-src/' "$file" >"$work/sources/${file##*/}"
done
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
  [[ -e $file ]] && sed -n 's/^deb /deb-src /p' "$file" >"$work/sources/${file##*/}"
done
# Only Debian's own archives carry the package; others may not offer sources at all.
grep -LE 'debian' "$work"/sources/* | xargs -r rm -f
apt=(-o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/sources" -o Dir::State::lists="$work/lists"
     -o APT::Sandbox::User=root)
apt-get "${apt[@]}" -qq update
apt-get install -y -qq --no-install-recommends golang-go dpkg-dev >/dev/null
(cd "$work/src" && apt-get "${apt[@]}" -qq source kubernetes >/dev/null)

# Debian ships the tree for a GOPATH build, without the generated OpenAPI definitions.
export GOPATH=$work/gopath GO111MODULE=off CGO_ENABLED=0 GOCACHE=$work/gocache GOFLAGS=
mkdir -p "$GOPATH/src/k8s.io"
mv "$work"/src/kubernetes-* "$GOPATH/src/k8s.io/kubernetes"
cd "$GOPATH/src/k8s.io/kubernetes"
# The vendored reflect2 calls Go's map iterator with the arguments that it had before Go 1.18: a later Go overwrites
# memory, and kube-apiserver dies as soon as there is a custom resource. Room for the whole iterator, handed in, mends it.
reflect2=vendor/github.com/modern-go/reflect2
if grep -q 'm unsafe.Pointer) \*hiter' $reflect2/unsafe_link.go; then
  sed -i -e 's/^func mapiterinit(\(.*\)) \*hiter$/func mapiterinit(\1, it *hiter)/' \
    -e 's#// rest fields are ignored#rest [14]unsafe.Pointer // of the runtime'"'"'s own#' $reflect2/unsafe_link.go
  sed -i -e 's/^\treturn &UnsafeMapIterator{/\titerator := new(hiter)\n\tmapiterinit(type2.rtype, *(*unsafe.Pointer)(obj), iterator)\n&/' \
    -e 's/mapiterinit(type2.rtype, \*(\*unsafe.Pointer)(obj)),$/iterator,/' $reflect2/unsafe_map.go
fi
version=$(dpkg-parsechangelog -S Version | sed -E 's/^.*really//; s/-.*$//')
if [[ ! -e pkg/generated/openapi/zz_generated.openapi.go ]]; then
  go build -o "$work/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
  packages=$(grep -rl '+k8s:openapi-gen=' --include='*.go' pkg staging/src/k8s.io |
    grep -v -e /code-generator/ -e /sample-apiserver/ | xargs -n1 dirname | sort -u |
    sed -E 's#^staging/src/#k8s.io/kubernetes/vendor/#; s#^pkg/#k8s.io/kubernetes/pkg/#' | paste -sd,)
  "$work/openapi-gen" --logtostderr -i "$packages" -p k8s.io/kubernetes/pkg/generated/openapi \
    -O zz_generated.openapi -h hack/boilerplate/boilerplate.generatego.txt -r "$work/violations" >/dev/null
fi
flags="-s -w"
# A GOPATH build links the vendored copies: -X must name them by their vendor path, any other name is ignored silently.
for package in k8s.io/kubernetes/vendor/k8s.io/{component-base,client-go/pkg}/version; do
  flags+=" -X $package.gitVersion=v$version -X $package.gitMajor=${version%%.*} -X $package.gitMinor=$(cut -d. -f2 <<<"$version")"
done
for command in "${commands[@]}"; do
  go build -trimpath -ldflags "$flags" -o "$out/$command.part" "./cmd/$command"
  mv "$out/$command.part" "$out/$command"
done
