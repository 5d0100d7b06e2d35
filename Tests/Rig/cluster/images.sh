#!/usr/bin/env bash
# The images that the rig's pods use, made from local files. Names are under the reserved host rig.invalid: nothing can
# ever be pulled from there.
. "$(dirname "$0")/lib.sh"
[[ -e $IMAGES/done ]] && exit 0
mkdir -p "$IMAGES"
busybox=$ROOTFS/bin/busybox
# What a pause container does: hold the namespaces, reap children, end at once.
printf '%s\n' '#include <signal.h>' '#include <unistd.h>' '#include <sys/wait.h>' \
  'static void end(int n) { _exit(0); }' 'static void reap(int n) { while (waitpid(-1, 0, WNOHANG) > 0) {} }' \
  'int main(void) { signal(SIGINT, end); signal(SIGTERM, end); signal(SIGCHLD, reap); for (;;) pause(); }' |
  gcc -Os -static -s -x c -o "$IMAGES/pause" -
"$HERE/image.py" "$IMAGES/pause.tar" rig.invalid/pause:1 --entrypoint /pause "$IMAGES/pause=/pause"
links=(); for c in sh sleep cat ls ip nc wget httpd ps hostname date ping tar sha256sum; do links+=(--link "busybox=/bin/$c"); done
"$HERE/image.py" "$IMAGES/busybox.tar" rig.invalid/busybox:1 --entrypoint /bin/sh "${links[@]}" "$busybox=/bin/busybox"
# A server that answers as a web site, an admission webhook and an aggregated API do.
"$HERE/image.py" "$IMAGES/server.tar" rig.invalid/server:1 --tree /usr/lib/python3.11 /usr/bin/python3.11 "$HERE/server.py=/srv/server.py"
touch "$IMAGES/done"
