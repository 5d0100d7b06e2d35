#!/usr/bin/env bash
# Ends whatever the rig's scripts left, also an interrupted run, and empties $RIG.
. "$(dirname "$0")/lib.sh"
stop machines
for m in "$RIG"/machines/*/; do [[ ! -d $m ]] || "$HERE/machine.sh" down "$(basename "$m")"; done
for f in "$RIG"/run/*.pid; do [[ ! -e $f ]] || stop "$(basename "$f" .pid)"; done
for name in cp op; do unport "$name"; done
[[ ! -e /run/netns/$RIG_NAME-sw ]] || ip netns del "$RIG_NAME-sw"
rm -rf --one-file-system "$RIG"
