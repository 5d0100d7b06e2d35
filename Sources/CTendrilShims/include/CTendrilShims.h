// What the Glibc module leaves out or cannot import: epoll, TUN, variadic calls, newer system calls.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

// Opens one queue of a TUN device with virtio headers. Returns an owned descriptor or -errno; on success `name` holds
// the name that the kernel chose (IFNAMSIZ bytes, NUL-terminated).
int tendril_tun_open(char *name, int multi_queue);

// Opens a TUN device without virtio headers in this thread's network namespace; an owned descriptor or -errno.
int tendril_tun_open_plain(const char *name);

// Moves this thread into the network namespace behind a descriptor; 0 or -errno.
int tendril_enter_network_namespace(int fd);

// ppoll(2) without a signal mask; the number of ready descriptors or -errno.
int tendril_poll(struct pollfd *descriptors, unsigned count, uint64_t nanoseconds);

// TUNSETOFFLOAD with TUN_F_* flags; 0 or -errno.
int tendril_tun_set_offload(int fd, unsigned flags);

// open(2), close-on-exec. Returns an owned descriptor or -errno.
int tendril_open(const char *path, int flags, unsigned mode);

// renameat2(2) with RENAME_EXCHANGE: each takes the other's place at once; 0 or -errno.
int tendril_exchange(const char *path, const char *other);

// syncfs(2): all of the file system on which an open file is; 0 or -errno.
int tendril_sync_files(int fd);

// flock(2), for oneself alone and without waiting; 0 or -errno.
int tendril_lock_file(int fd);

// A descriptor that only names a place (open(2)).
static const int tendril_o_path = __O_PATH;

// pipe2(2), close-on-exec; 0 or -errno.
int tendril_pipe(int ends[2]);

// openat(2), close-on-exec. An owned descriptor or -errno.
int tendril_open_at(int directory, const char *path, int flags, unsigned mode);

// Drops every capability from the effective, permitted, inheritable and ambient sets and the bounding set where it
// may; those in `keep` (a bit each) stay effective and permitted. 0 or -errno.
int tendril_capabilities_keep(uint64_t keep);

// Names this thread for ps and top (15 bytes at most); 0 or -errno.
int tendril_name_thread(const char *name);

// Sets this thread's scheduling slice (Linux 6.12, EEVDF) in nanoseconds, keeping policy and nice value. 0 or -errno.
int tendril_set_slice(uint64_t nanoseconds);

// Segments sent again since the connection began (TCP_INFO), or -errno.
long tendril_tcp_retransmits(int fd);

// Memory of what was written to a UNIX socket and not read yet (SIOCOUTQ, unix(7)); 0 where all of it was, or -errno.
int tendril_unread(int fd);

// accept4(2), non-blocking and close-on-exec. Returns an owned descriptor or -errno.
int tendril_accept(int fd, struct sockaddr *address, socklen_t *length);

// Sets a process attribute that takes one number (prctl); 0 or -errno.
int tendril_process_control(int option, unsigned long value);

// Gives freed pages of the heap back to the kernel (malloc_trim(3)); whether there were any.
int tendril_trim_heap(void);

// Sets a socket option with an int value; 0 or -errno.
static inline int tendril_setsockopt_int(int fd, int level, int option, int value) {
    return setsockopt(fd, level, option, &value, sizeof value) == 0 ? 0 : -errno;
}

// Takes note of SIGTERM and SIGINT from here on, on whichever thread they come; SIGPIPE is ignored.
void tendril_catch_signals(void);
// The number of the signal that came last, or 0.
int tendril_caught_signal(void);

// Starts a program (an absolute path) with standard input from /dev/null, output and errors to `output`, no other
// descriptors, default signals and a process group of its own. Its pid or -errno.
int tendril_spawn(const char *path, char *const arguments[], char *const environment[], int output);
