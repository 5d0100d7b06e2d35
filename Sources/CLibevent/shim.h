// libevent's HTTP server.
#pragma once
// First, for libevent's configuration header defines _GNU_SOURCE, which would change the layout of fd_set.
#include <sys/types.h>
#include <sys/select.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
