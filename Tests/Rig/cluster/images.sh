#!/usr/bin/env bash
# The images that the rig's pods use, made from local files. Names are under the reserved host rig.invalid: nothing can
# ever be pulled from there.
. "$(dirname "$0")/lib.sh"
[[ -e $IMAGES/done ]] && exit 0
PACK=$HERE/../../../packaging/image.py
mkdir -p "$IMAGES"
busybox=$ROOTFS/bin/busybox
# What a pause container does: hold the namespaces, reap children, end at once.
printf '%s\n' '#include <signal.h>' '#include <unistd.h>' '#include <sys/wait.h>' \
  'static void end(int n) { _exit(0); }' 'static void reap(int n) { while (waitpid(-1, 0, WNOHANG) > 0) {} }' \
  'int main(void) { signal(SIGINT, end); signal(SIGTERM, end); signal(SIGCHLD, reap); for (;;) pause(); }' |
  gcc -Os -static -s -x c -o "$IMAGES/pause" -
"$PACK" "$IMAGES/pause.tar" rig.invalid/pause:1 --entrypoint /pause "$IMAGES/pause=/pause"
links=(); for c in sh sleep cat ls ip nc wget httpd ps hostname date ping tar sha256sum; do links+=(--link "busybox=/bin/$c"); done
"$PACK" "$IMAGES/busybox.tar" rig.invalid/busybox:1 --entrypoint /bin/sh "${links[@]}" "$busybox=/bin/busybox"
# A server that answers as a web site, an admission webhook and an aggregated API do.
"$PACK" "$IMAGES/server.tar" rig.invalid/server:1 --tree /usr/lib/python3.11 /usr/bin/python3.11 "$HERE/server.py=/srv/server.py"
# A control plane. kube-proxy brings the iptables that it runs.
"$PACK" "$IMAGES/etcd.tar" rig.invalid/etcd:$ETCD_TAG --entrypoint etcd "$ETCD_BIN/etcd=/usr/bin/etcd" \
  "$ETCD_BIN/etcdctl=/usr/bin/etcdctl" $([[ ! -x $ETCD_BIN/etcdutl ]] || echo "$ETCD_BIN/etcdutl=/usr/bin/etcdutl")
for c in kube-apiserver kube-controller-manager kube-scheduler; do "$PACK" "$IMAGES/$c.tar" rig.invalid/$c:v$KUBERNETES_VERSION "$KUBERNETES_BIN/$c=/usr/bin/$c"; done
links=(); for c in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do links+=(--link "xtables-nft-multi=/usr/sbin/$c"); done
"$PACK" "$IMAGES/kube-proxy.tar" rig.invalid/kube-proxy:v$KUBERNETES_VERSION --tree /usr/lib/x86_64-linux-gnu/xtables "${links[@]}" "$KUBERNETES_BIN/kube-proxy=/usr/bin/kube-proxy" /usr/sbin/xtables-nft-multi /usr/sbin/conntrack
touch "$IMAGES/done"
