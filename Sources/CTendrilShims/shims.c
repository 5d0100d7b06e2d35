#define _GNU_SOURCE
#include "CTendrilShims.h"

#include <linux/securebits.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <malloc.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/file.h>

int tendril_open(const char *path, int flags, unsigned mode) {
    int fd = open(path, flags | O_CLOEXEC, mode);
    return fd >= 0 ? fd : -errno;
}

int tendril_exchange(const char *path, const char *other) {
    return renameat2(AT_FDCWD, path, AT_FDCWD, other, RENAME_EXCHANGE) == 0 ? 0 : -errno;
}

int tendril_sync_files(int fd) { return syncfs(fd) == 0 ? 0 : -errno; }

int tendril_lock_file(int fd) { return flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : -errno; }

int tendril_tun_open(char *name, int multi_queue) {
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return -errno;
    struct ifreq request = {0};
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | (multi_queue ? IFF_MULTI_QUEUE : 0);
    if (ioctl(fd, TUNSETIFF, &request) != 0) {
        int code = errno;
        close(fd);
        return -code;
    }
    int header = 10;
    if (ioctl(fd, TUNSETVNETHDRSZ, &header) != 0) {
        int code = errno;
        close(fd);
        return -code;
    }
    memcpy(name, request.ifr_name, IFNAMSIZ);
    return fd;
}

int tendril_tun_open_plain(const char *name) {
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return -errno;
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    if (ioctl(fd, TUNSETIFF, &request) != 0) {
        int code = errno;
        close(fd);
        return -code;
    }
    return fd;
}

int tendril_enter_network_namespace(int fd) { return setns(fd, CLONE_NEWNET) == 0 ? 0 : -errno; }

int tendril_poll(struct pollfd *descriptors, unsigned count, uint64_t nanoseconds) {
    struct timespec wait = {.tv_sec = (time_t)(nanoseconds / 1000000000), .tv_nsec = (long)(nanoseconds % 1000000000)};
    int ready = ppoll(descriptors, count, &wait, NULL);
    return ready >= 0 ? ready : -errno;
}

int tendril_tun_set_offload(int fd, unsigned flags) {
    return ioctl(fd, TUNSETOFFLOAD, (unsigned long)flags) == 0 ? 0 : -errno;
}

int tendril_capabilities_keep(uint64_t keep) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct now[2] = {{0}};
    if (syscall(SYS_capget, &header, now) != 0) return -errno;
    // Only where CAP_SETPCAP is there; without it nothing can be regained through execve of a plain file anyway.
    for (int capability = 0; capability < 64; capability++)
        if (!(keep >> capability & 1)) prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    for (int word = 0; word < 2; word++) {
        uint32_t mask = (uint32_t)(keep >> (32 * word)) & now[word].permitted;
        now[word] = (struct __user_cap_data_struct){.effective = mask, .permitted = mask, .inheritable = 0};
    }
    return syscall(SYS_capset, &header, now) == 0 ? 0 : -errno;
}

int tendril_name_thread(const char *name) { return prctl(PR_SET_NAME, name, 0, 0, 0) == 0 ? 0 : -errno; }

int tendril_set_slice(uint64_t nanoseconds) {
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } attributes = {.size = 48};
    if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return -errno;
    if (attributes.policy != SCHED_OTHER) return 0;
    attributes.size = sizeof attributes;
    attributes.runtime = nanoseconds;
    return syscall(SYS_sched_setattr, 0, &attributes, 0) == 0 ? 0 : -errno;
}

int tendril_accept(int fd, struct sockaddr *address, socklen_t *length) {
    int accepted;
    do accepted = accept4(fd, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (accepted < 0 && errno == EINTR);
    return accepted >= 0 ? accepted : -errno;
}

int tendril_process_control(int option, unsigned long value) {
    return prctl(option, value, 0, 0, 0) == 0 ? 0 : -errno;
}

long tendril_tcp_retransmits(int fd) {
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 ? (long)info.tcpi_total_retrans : -errno;
}

int tendril_unread(int fd) {
    int bytes = 0;
    return ioctl(fd, SIOCOUTQ, &bytes) == 0 ? bytes : -errno;
}

int tendril_open_at(int directory, const char *path, int flags, unsigned mode) {
    int fd = openat(directory, path, flags | O_CLOEXEC, mode);
    return fd >= 0 ? fd : -errno;
}

int tendril_spawn(const char *path, char *const arguments[], char *const environment[], int output) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    pid_t pid = 0;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, 1);
    posix_spawn_file_actions_adddup2(&actions, output, 2);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    int code = posix_spawn(&pid, path, &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return code == 0 ? (int)pid : -code;
}

int tendril_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC) == 0 ? 0 : -errno; }

static volatile sig_atomic_t caught_signal;
static void catch_signal(int number) { caught_signal = number; }

void tendril_catch_signals(void) {
    struct sigaction action = {.sa_handler = catch_signal, .sa_flags = SA_RESTART};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int tendril_caught_signal(void) { return caught_signal; }

int tendril_trim_heap(void) { return malloc_trim(0); }
