// Counts this thread's allocations by standing before the C library's functions.
#pragma once
#include <stdint.h>

// How often this thread has allocated so far, OpenSSL's own allocations aside; constant zero in sanitizer builds, which need the functions themselves.
uint64_t tendril_test_allocation_count(void);

// How many pieces this thread has allocated and not freed, those that others take over or leave to it aside.
int64_t tendril_test_held_count(void);

// How many bytes those have together.
int64_t tendril_test_held_bytes(void);

// Whether allocations are counted in this build.
int tendril_test_counts_allocations(void);
