#!/usr/bin/env bash
# machine.sh up NAME NUMBER USER_DATA_FILE | sh NAME COMMAND... | reboot NAME | down NAME | leader NAME | namespace NAME NUMBER
#
# A Debian machine: systemd-nspawn boots the machine image without systemd on the host, in the network namespace
# RIG_NAME-NAME with address NUMBER, in cgroups of its own; cloud-init (NoCloud) gets the user data. Files below
# $MACHINE_FILES, if set, lie in the image under their relative paths.
. "$(dirname "$0")/lib.sh"
cgroups() { local h; for h in /sys/fs/cgroup/*/; do [[ -e $h/cgroup.procs ]] && echo "${h%/}"; done; }
leader() { local p; p=$(<"$RIG/run/machine-$1.pid"); pgrep -P "$p" | head -1; }

up() {
  local name=$1 number=$2 data=$3 m=$RIG/machines/$1
  mkdir -p "$m"/{upper,work,root,containerd,kubelet}
  switch_up; port "$name" "$number"
  mountpoint -q "$m/root" || mount -t overlay overlay -o "lowerdir=$ROOTFS,upperdir=$m/upper,workdir=$m/work" "$m/root"
  mkdir -p "$m/root/var/lib/cloud/seed/nocloud" "$m/root/var/lib/containerd" "$m/root/var/lib/kubelet" "$m/root/opt/rig"
  install -m 0600 "$data" "$m/root/var/lib/cloud/seed/nocloud/user-data"
  printf 'instance-id: i-%s-%s\nlocal-hostname: %s\n' "$name" "$(date +%s)" "$name" >"$m/root/var/lib/cloud/seed/nocloud/meta-data"
  # nspawn mounts the v1 controllers read-only; a kubelet must create groups there.
  mkdir -p "$m/root/etc/systemd/system/sysinit.target.wants"
  cat >"$m/root/etc/systemd/system/rig-machine.service" <<'UNIT'
[Unit]
DefaultDependencies=no
Before=sysinit.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'for m in /sys/fs/cgroup/*/; do mount -o remount,bind,rw $m || :; done; mount --make-rshared /'
UNIT
  ln -sf ../rig-machine.service "$m/root/etc/systemd/system/sysinit.target.wants/"
  [[ -z ${MACHINE_FILES:-} ]] || cp -a "$MACHINE_FILES"/. "$m/root/"
  boot "$name"
}
boot() {
  local name=$1 m=$RIG/machines/$1 h
  # A group in every hierarchy, entered before nspawn starts: its cgroup namespace is then rooted there.
  for h in $(cgroups); do
    mkdir -p "$h/$RIG_NAME-$name"
    [[ ! -e $h/cpuset.cpus ]] || { cat "$h/cpuset.cpus" >"$h/$RIG_NAME-$name/cpuset.cpus"; cat "$h/cpuset.mems" >"$h/$RIG_NAME-$name/cpuset.mems"; echo 1 >"$h/$RIG_NAME-$name/cgroup.clone_children"; }
  done
  now >"$m/started"
  start "machine-$name" bash -c '
    for h in /sys/fs/cgroup/*/; do [[ -e $h/'"$RIG_NAME-$name"'/cgroup.procs ]] && echo $$ >"$h/'"$RIG_NAME-$name"'/cgroup.procs"; done
    export SYSTEMD_NSPAWN_API_VFS_WRITABLE=1 SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=0 SYSTEMD_NSPAWN_USE_CGNS=1
    exec systemd-nspawn --quiet --boot --keep-unit --register=no --machine='"$name"' --directory='"$m/root"' \
      --network-namespace-path=/run/netns/'"$RIG_NAME-$name"' --capability=all --private-users=no --link-journal=no --resolv-conf=off --timezone=off \
      --system-call-filter="@known" --bind=/dev/kmsg --bind=/dev/net/tun \
      --bind='"$m/containerd"':/var/lib/containerd --bind='"$m/kubelet"':/var/lib/kubelet --bind-ro='"$KUBERNETES_BIN"':/opt/kubernetes/bin --bind-ro='"$IMAGES"':/opt/rig/images \
      --console=pipe'
}
sh_() { local name=$1; shift; nsenter -t "$(leader "$name")" -m -u -i -n -p -C -r -w "$@"; }
halt() {
  local name=$1 m=$RIG/machines/$1 h p i
  p=$(leader "$name" 2>/dev/null || true)
  # RTMIN+4 powers off; pods outlive containerd (KillMode=process) and the last of systemd would wait 90 s for them, so
  # after three seconds the machine's init is killed and takes its whole pid namespace along.
  if [[ -n $p ]]; then
    kill -s RTMIN+4 "$p" 2>/dev/null || true
    for i in {1..30}; do kill -0 "$p" 2>/dev/null || break; sleep 0.1; done
    kill -KILL "$p" 2>/dev/null || true
  fi
  stop "machine-$name"
  for i in {1..50}; do
    for h in $(cgroups); do [[ ! -d $h/$RIG_NAME-$name ]] || find "$h/$RIG_NAME-$name" -depth -type d -exec rmdir {} \; 2>/dev/null || true; done
    compgen -G "/sys/fs/cgroup/*/$RIG_NAME-$name" >/dev/null || break
    sleep 0.1
  done
}
# What lives in /run is gone after a boot, as on a real machine: nspawn mounts it anew.
reboot() { halt "$1"; boot "$1"; }
down() {
  local m=$RIG/machines/$1
  halt "$1"
  ! mountpoint -q "$m/root" || umount "$m/root"
  unport "$1"; rm -rf --one-file-system "$m"
}
namespace() { switch_up; port "$1" "$2"; }
cmd=$1; shift; [[ $cmd != sh ]] || cmd=sh_; "$cmd" "$@"
