#!/usr/bin/env bash
# What is handed to people is whole: images are the same bytes each time, `make install` and the Debian packages hold what they are to,
# and manual pages can be read. Usage: check-packages.sh PROGRAMS
set -euo pipefail
cd "$(dirname "$0")/../.."
programs=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "error: $*" >&2; exit 1; }

# Made again from copies that are younger, by somebody else's habits.
images() { packaging/images.sh "$1" "$2" >/dev/null; }
mkdir "$work/copies"
for name in tendril tendril-agent tendril-coordinator tendril-vpn; do cp "$programs/$name" "$work/copies/"; done
images "$programs" "$work/images"
(umask 077; cd "$work"; TZ=Asia/Tokyo LC_ALL=C "$OLDPWD/packaging/images.sh" "$work/copies" "$work/again" >/dev/null)
for image in "$work"/images/*.tar; do
  cmp "$image" "$work/again/$(basename "$image")" || fail "$(basename "$image") is not the same twice"
  names=$(tar -xOf "$image" "$(python3 -c 'import json,sys,tarfile
t = tarfile.open(sys.argv[1]); read = lambda d: json.load(t.extractfile("blobs/sha256/" + d["digest"][7:]))
print("blobs/sha256/" + read(json.load(t.extractfile("index.json"))["manifests"][0])["layers"][0]["digest"][7:])' "$image")" | tar -t)
  grep -qx "usr/bin/$(basename "$image" .tar)" <<<"$names" || fail "$(basename "$image") lacks its program"
  ! grep -qE '(^|/)(ba|da)?sh$' <<<"$names" || fail "$(basename "$image") holds a shell"
  grep -qx "etc/ssl/certs/ca-certificates.crt" <<<"$names" || fail "$(basename "$image") holds no CA bundle"
  python3 -c 'import json,sys,tarfile
t = tarfile.open(sys.argv[1]); read = lambda d: json.load(t.extractfile("blobs/sha256/" + d["digest"][7:]))
user = read(read(json.load(t.extractfile("index.json"))["manifests"][0])["config"])["config"].get("User", "")
sys.exit(user.split(":")[0] in ("", "0", "root"))' "$image" || fail "$(basename "$image") runs as root"
done
[[ $(ls "$work/images" | wc -l) == 3 ]] || fail "there are not three images"
echo "images: the same bytes twice"

# The image with Terraform holds all that Terraform needs to begin, without a network.
terraform=$(type -P terraform || type -P tofu || true)
providers=${TF_PLUGINS:-$(compgen -G "/opt/*/registry.terraform.io" | head -1 | xargs -r dirname)}
if [[ -n $terraform && -n $providers ]]; then
  TERRAFORM=$terraform PROVIDERS=$providers packaging/images.sh "$programs" "$work/aws" >/dev/null
  mkdir -p "$work/pod/tmp"
  layer=$(tar -tvf "$work/aws/tendril-coordinator-terraform.tar" | sort -k3,3n | awk 'END { print $NF }')
  tar -xOf "$work/aws/tendril-coordinator-terraform.tar" "$layer" | tar -x -C "$work/pod"
  cp Sources/ShootPlan/Terraform/network.tf "$work/pod/tmp/main.tf"
  chmod 777 "$work/pod/tmp"
  TF_CLI_CONFIG_FILE=/etc/terraform/cli.tfrc HOME=/tmp unshare -n chroot --userspec=65532:65532 "$work/pod" /usr/bin/terraform -chdir=/tmp init -input=false -no-color >"$work/init" 2>&1 || fail "Terraform in the image: $(tail -5 "$work/init")"
  rm -rf "$work/aws" "$work/pod"
  echo "image with Terraform: it begins without a network"
else
  echo "image with Terraform: left out, for this machine lacks terraform or a mirror of providers (TF_PLUGINS)"
fi

# -o: the programs are there.
make -s -o build install BIN="$programs" DESTDIR="$work/root" PREFIX=/usr
[[ $(readlink "$work/root/usr/bin/kubectl-tendril") == tendril ]] || fail "kubectl tendril is no command"
# completed WORD...: what kubectl is told of the last one, on one line
completed() { "$work/root/usr/bin/kubectl_complete-tendril" "$@" | xargs; }
[[ $(completed sho) == "shoot :4" ]] || fail "kubectl tendril sho: $(completed sho)"
[[ $(completed shoot h) == "hibernate :4" ]] || fail "kubectl tendril shoot h: $(completed shoot h)"
[[ $(completed shoot get one --output "") == "json table yaml :4" ]] || fail "kubectl tendril … --output: $(completed shoot get one --output "")"
[[ $(completed shoot create --file "") == ":0" ]] || fail "kubectl tendril … --file: $(completed shoot create --file "")"
[[ $(completed shoot create --file Sour) == ":0" ]] || fail "kubectl tendril … --file Sour: $(completed shoot create --file Sour)"
[[ $(completed nothing x) == ":4" ]] || fail "kubectl tendril nothing x: $(completed nothing x)"
for name in tendril tendril-agent tendril-coordinator tendril-vpn; do
  [[ -x $work/root/usr/bin/$name ]] || fail "no $name"
  [[ $("$work/root/usr/bin/$name" --version) == "$("$programs/$name" --version)" ]] || fail "$name was spoilt"
  bash -n "$work/root/usr/share/bash-completion/completions/$name" || fail "the completion of $name is no shell script"
  grep -q "^#compdef $name" "$work/root/usr/share/zsh/vendor-completions/_$name" || fail "no completion of $name for zsh"
  grep -q "complete .*$name" "$work/root/usr/share/fish/vendor_completions.d/$name.fish" || fail "no completion of $name for fish"
  page=$(ls "$work/root"/usr/share/man/man[18]/"$name".[18].gz)
  for section in NAME SYNOPSIS COMMANDS 'EXIT STATUS'; do
    zcat "$page" | grep -qx "\.SH $section" || fail "$(basename "$page") has no section $section"
  done
  # What troff complains about would be missing from the page.
  if command -v groff >/dev/null; then
    complaints=$(zcat "$page" | groff -man -Tutf8 -ww -rHY=0 2>&1 >"$work/page") || fail "$(basename "$page"): $complaints"
    [[ -z $complaints ]] || fail "$(basename "$page"): $complaints"
    grep -q "Tendril" "$work/page" || fail "$(basename "$page") is empty"
  fi
done
for unit in systemd/*.service; do cmp "$unit" "$work/root/lib/systemd/system/$(basename "$unit")" || fail "$unit is not installed"; done
echo "install: programs, completions, manual pages and units"

DPKG_DEB_COMPRESSOR_TYPE=none packaging/deb.sh "$programs" "$work/deb" >/dev/null
version=$("$programs/tendril" --version)
# package NAME PROGRAM...: holds them, and depends on every library that they load
package() {
  local name=$1 file all program library owner; shift
  file=$(ls "$work/deb/${name}_${version}"_*.deb)
  dpkg-deb --extract "$file" "$work/$name"
  [[ $(cd "$work/$name/usr/bin" && ls -1 | grep -v '^kubectl[-_].*tendril$' | xargs) == "$*" ]] || fail "$name holds $(ls "$work/$name/usr/bin")"
  [[ ! -e $work/$name/usr/bin/tendril || -x $work/$name/usr/bin/kubectl_complete-tendril ]] || fail "$name does not complete kubectl tendril"
  [[ -f $work/$name/usr/share/doc/$name/copyright ]] || fail "$name has no copyright"
  [[ -f $work/$name/usr/share/doc/$name/docs/alerts.yaml && ! -L $work/$name/usr/share/doc/$name/docs/alerts.yaml ]] || fail "$name has no alerts"
  [[ -z $(dpkg-deb --contents "$file" | awk '$2 != "root/root"') ]] || fail "$name holds files that are not root's"
  all=$(closure $(dpkg-deb --field "$file" Depends | tr ',' '\n' | sed 's/(.*//; s/ //g'))
  for program in "$@"; do
    for library in $(ldd "$work/$name/usr/bin/$program" | awk '$2 == "=>" { print $3 }'); do
      # Debian's packages name what lies behind the link from / to /usr either way.
      owner=$(dpkg -S "$library" 2>/dev/null || dpkg -S "${library#/usr}" 2>/dev/null || dpkg -S "$(realpath "$library")") || continue
      owner=${owner%%:*}
      grep -qx "$owner" <<<"$all" || fail "$name: $program loads $library, and nothing asks for $owner"
    done
  done
}
# closure PACKAGE...: all that they depend on, as far as it is installed
closure() {
  local known next; known=$(printf '%s\n' "$@" | sort -u)
  while true; do
    next=$({ echo "$known"; xargs dpkg-query -W -f '${Depends},${Pre-Depends}\n' <<<"$known" 2>/dev/null | tr ',|' '\n\n' | sed 's/(.*//; s/ //g; s/:any//' | grep . || true; } | sort -u)
    [[ $next != "$known" ]] || { echo "$known"; return; }
    known=$next
  done
}
package tendril-node tendril-agent tendril-vpn
package tendril-coordinator tendril tendril-coordinator
echo "packages: $(ls "$work/deb" | xargs)"
