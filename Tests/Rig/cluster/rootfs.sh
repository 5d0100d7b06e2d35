#!/usr/bin/env bash
# A Debian machine image as a directory, built once: systemd, cloud-init, containerd, and the libraries that our programs
# link. The mirrors are the host's own, asked from apt.
. "$(dirname "$0")/lib.sh"
[[ -e $ROOTFS.done ]] && exit 0
rm -rf "$ROOTFS"; mkdir -p "$CACHE"; t=$(now)
# mmdebstrap: debootstrap resolves no virtual packages and gives up on python3-cryptography.
packages=systemd,systemd-sysv,dbus,cloud-init,iproute2,containerd,runc,containernetworking-plugins,iptables,nftables,kmod
packages+=,conntrack,ca-certificates,openssl,procps,iputils-ping,ethtool,netbase,mount,curl
packages+=,libssl3,libcurl4,libmnl0,libnftnl11,libyaml-0-2,libevent-2.1-7,libevent-openssl-2.1-7,libstdc++6,libgcc-s1,busybox-static
lists=()
for suite in bookworm bookworm-updates bookworm-security; do
  while read -r uri codename; do
    lists+=("deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $codename main")
  done < <(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' "Codename: $suite" 'Component: main' | sort -u | head -1)
done
mmdebstrap --mode=root --variant=minbase --include="$packages" --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  bookworm "$ROOTFS" "${lists[@]}" >"$RIG/log/mmdebstrap.log" 2>&1
rm -rf "$ROOTFS"/var/cache/apt/archives/*.deb "$ROOTFS"/var/lib/apt/lists/* "$ROOTFS"/usr/share/{doc,man,locale}
# No image carries an identity; cloud-init decides per instance.
: >"$ROOTFS/etc/machine-id"; rm -f "$ROOTFS/etc/hostname" "$ROOTFS/etc/resolv.conf"
cat >"$ROOTFS/etc/cloud/cloud.cfg.d/90-rig.cfg" <<'YAML'
datasource_list: [NoCloud, None]
network: {config: disabled}
manage_etc_hosts: false
apt_preserve_sources_list: true
package_update: false
# apt, ssh keys, locale and grub are none of a worker's business here, and cost seconds
cloud_init_modules: [seed_random, write-files, set_hostname, update_hostname]
cloud_config_modules: [runcmd]
cloud_final_modules: [scripts-user, final-message]
YAML
# systemd-sysctl would write the host's kernel settings.
for unit in systemd-sysctl.service getty@.service console-getty.service apt-daily.timer apt-daily-upgrade.timer; do
  ln -sf /dev/null "$ROOTFS/etc/systemd/system/$unit"
done
# Kubernetes expects nothing of containerd's packaged configuration; a node's comes with its NodeConfiguration.
mkdir -p "$ROOTFS/etc/containerd" "$ROOTFS/opt/cni" "$ROOTFS/opt/rig"
ln -sfn /usr/lib/cni "$ROOTFS/opt/cni/bin"
touch "$ROOTFS.done"
say "machine image: $(du -sm "$ROOTFS" | cut -f1) MiB in $(took "$t")s"
