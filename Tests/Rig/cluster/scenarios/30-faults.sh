# shellcheck shell=bash
# Things break.

scenario_drift() { # what somebody changed is put back
  on w1 sh -c 'echo tampered >/etc/kubernetes/resolv.conf; systemctl restart tendril-agent'
  until_ok 30 on w1 grep -q 'nameserver 10.96.0.10' /etc/kubernetes/resolv.conf
  until_ok 30 event "DriftRepaired w1"
}

scenario_read_only() { # a file system that takes no writes is told, and all is well within ten seconds of its end
  on w1 mount -t tmpfs -o ro tmpfs /etc/cni/net.d
  on w1 systemctl restart tendril-agent
  until_ok 30 is w1 cause disk || { on w1 umount /etc/cni/net.d; fail "read-only: $(status w1)"; }
  node_ready w1 || fail "the node suffered"
  local t; t=$(now)
  on w1 umount /etc/cni/net.d
  until_ok 15 is w1 error "" || fail "still: $(status w1)"
  within 10 "$t"
}

scenario_kill() { # the agent is killed a hundred times (KILLS) while generations come: no bad state
  local i generation; generation=$(latest)
  for ((i = 1; i <= ${KILLS:-100}; i++)); do
    if ((i % 10 == 0)); then generation=$((generation + 1)); configured $generation -e "s/10.96.0.10/10.96.0.$((i % 200))/"; fi
    # Between two starts there is no process, and kill 0 would end this script.
    on w1 sh -c 'pid=$(systemctl show -P MainPID tendril-agent); [ "$pid" = 0 ] || kill -KILL "$pid"; systemctl reset-failed tendril-agent; systemctl restart tendril-agent' 2>/dev/null || true
    sleep 0.0$((RANDOM % 10))
  done
  until_ok 60 eval "[[ \$(annotation w1 applied-generation) == $generation ]]" || fail "w1: $(status w1)"
  ! on w1 sh -c 'find /etc /var/lib/tendril /var/lib/kubelet -xdev -name "*.tendril-new" | grep .' || fail "a temporary file is left"
  node_ready w1
}

scenario_outage() { # the API server is away: the old state stays, and all goes on within ten seconds of its return
  stop apiserver
  sleep 5
  on w1 systemctl restart tendril-agent
  sleep 10
  on w1 systemctl is-active --quiet kubelet containerd || fail "something was stopped"
  local before; before=$(date -u +%FT%T)
  "$HERE/control-plane.sh" restart-apiserver
  local t; t=$(now)
  until_ok 30 eval "[[ \$(kubectl -n kube-system get lease tendril-agent-w1 -o jsonpath='{.spec.renewTime}') > $before ]]"
  within 10 "$t"
  until_ok 60 node_ready w1
}

scenario_disk_full() { # a disk that is full is told, the old state stays, and all is well within ten seconds of its end
  local g t; g=$(($(latest) + 1))
  on w1 sh -c 'mkdir -p /opt/app && mount -t tmpfs -o size=64k tmpfs /opt/app && head -c 65536 /dev/zero >/opt/app/full || true'
  varied $g '{"files": [{"path": "/opt/app/data", "content": {"inline": "'"$(printf 'x%.0s' {1..5000})"'"}}]}'
  until_ok 60 is w1 cause disk || { on w1 umount /opt/app; fail "disk full: $(status w1)"; }
  [[ $(annotation w1 applied-generation) == $((g - 1)) ]] && node_ready w1 || fail "the node suffered"
  on w1 rm /opt/app/full; t=$(now)
  until_ok 30 eval "[[ \$(annotation w1 applied-generation) == $g ]]" || fail "still: $(status w1)"
  # The generation has to hold for three seconds.
  within 13 "$t"
  everywhere $g w2 w3
  configured $((g + 1)); everywhere $((g + 1)) w1 w2 w3
  on w1 umount /opt/app
}

scenario_clock() { # a clock that is a year ahead is told as that, and the machine joins once it is right
  token c1 --machine c1
  local drop=$WORK/files-clock/etc/systemd/system/tendril-agent.service.d
  rm -rf "$WORK/files-clock"; cp -a "$WORK/files" "$WORK/files-clock"; mkdir -p "$drop" "$WORK/files-clock/opt"
  # The wall clock of one program, a year on.
  gcc -shared -fPIC -x c -o "$WORK/files-clock/opt/year-ahead.so" - <<'C'
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
    long result = syscall(SYS_clock_gettime, clock, now);
    if (clock == CLOCK_REALTIME) now->tv_sec += 366 * 86400;
    return (int)result;
}
time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
C
  printf '[Service]\nEnvironment=LD_PRELOAD=/opt/year-ahead.so\n' >"$drop/clock.conf"
  MACHINE_FILES=$WORK/files-clock join c1 34
  until_ok 60 is c1 cause clock || fail "c1: $(status c1)"
  # While it tries again there is no error.
  until_ok 20 eval 'has c1 error "off by 527040 min" || has c1 error "off by 527039 min"' || fail "c1: $(status c1 | field error)"
  on c1 sh -c 'rm /etc/systemd/system/tendril-agent.service.d/clock.conf; systemctl daemon-reload; systemctl restart tendril-agent'
  until_ok 60 node_ready c1 || fail "c1: $(status c1)"
  machine down c1
  kubectl delete node c1 >/dev/null
}

scenario_systemd_hung() { # a systemd that does not answer is told as that; nothing is rolled back, and all goes on when it answers
  local g t pid; g=$(($(latest) + 1))
  pid=$("$HERE/machine.sh" leader w1)
  kill -STOP "$pid"
  configured $g -e 's/imageGCHighThresholdPercent: 100/imageGCHighThresholdPercent: 98/'
  until_ok 60 is w1 cause systemd || { kill -CONT "$pid"; fail "hung: $(status w1)"; }
  node_ready w1 || { kill -CONT "$pid"; fail "the node suffered"; }
  kill -CONT "$pid"; t=$(now)
  until_ok 60 eval "[[ \$(annotation w1 applied-generation) == $g ]]" || fail "still: $(status w1)"
  within 30 "$t"
  everywhere $g w2 w3
}

scenario_endpoint() { # when the address that a kubelet uses dies, the agent goes to another at once, and leads the kubelet there
  token e1 --machine e1
  join e1 35 "apiServers: ['https://$CONTROL_PLANE:6443', 'https://[$NET6::1]:6443']"
  until_ok 60 node_ready e1
  until_ok 30 is e1 phase done
  in_ns e1 nft -f - <<<"table inet cut { chain out { type filter hook output priority 0; ip daddr $CONTROL_PLANE tcp dport 6443 drop; }; }"
  until_ok 120 event "KubeletFollowedEndpoint e1" || fail "e1: $(status e1)"
  on e1 grep -q "server: https://\[$NET6::1\]:6443" /var/lib/kubelet/kubeconfig || fail "$(on e1 cat /var/lib/kubelet/kubeconfig)"
  until_ok 60 node_ready e1
  machine down e1
  kubectl delete node e1 >/dev/null
}

scenario_lost_node() { # a Node that somebody deletes comes back, with all that the agent tells there
  kubectl delete node w2 >/dev/null
  until_ok 300 node_ready w2 || fail "w2: $(status w2)"
  until_ok 90 eval "[[ \$(annotation w2 applied-generation) == $(latest) ]]" || fail "w2: $(status w2)"
  event "UnhealthyUnitRestarted w2" || fail "the restart was not told"
  until_ok 90 is w2 error "" || fail "w2: $(status w2)"
}
