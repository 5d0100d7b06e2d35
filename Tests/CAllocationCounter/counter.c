#define _GNU_SOURCE
#include "CAllocationCounter.h"

#include <link.h>
#include <malloc.h>
#include <stddef.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

static __thread uint64_t count;
static __thread int64_t held, held_bytes;

// Whether an address lies in libcrypto, which allocates for itself: 40 bytes a record that it writes (OpenSSL 3.0).
static uintptr_t crypto_start, crypto_end;

static int find_crypto(struct dl_phdr_info *info, size_t size, void *data) {
    if (!strstr(info->dlpi_name, "libcrypto.so")) return 0;
    for (int index = 0; index < info->dlpi_phnum; index++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[index];
        uintptr_t end = info->dlpi_addr + header->p_vaddr + header->p_memsz;
        if (header->p_type == PT_LOAD && end > crypto_end) crypto_end = end;
    }
    crypto_start = info->dlpi_addr;
    return 1;
}

__attribute__((constructor)) static void locate(void) { dl_iterate_phdr(find_crypto, NULL); }

static void note(void *caller) {
    uintptr_t address = (uintptr_t)caller;
    if (address < crypto_start || address >= crypto_end) count++;
}

uint64_t tendril_test_allocation_count(void) { return count; }

int64_t tendril_test_held_count(void) { return held; }

int64_t tendril_test_held_bytes(void) { return held_bytes; }

#ifdef SANITIZED
int tendril_test_counts_allocations(void) { return 0; }
#else
int tendril_test_counts_allocations(void) { return 1; }

void __libc_free(void *);
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

static void *keep(void *pointer) {
    held++;
    held_bytes += (int64_t)malloc_usable_size(pointer);
    return pointer;
}

void *malloc(size_t size) {
    note(__builtin_return_address(0));
    return keep(__libc_malloc(size));
}

void *calloc(size_t number, size_t size) {
    note(__builtin_return_address(0));
    return keep(__libc_calloc(number, size));
}

void *realloc(void *pointer, size_t size) {
    note(__builtin_return_address(0));
    held += !pointer;
    int64_t before = (int64_t)malloc_usable_size(pointer);
    void *result = __libc_realloc(pointer, size);
    if (result || !size) held_bytes += (int64_t)malloc_usable_size(result) - before;
    return result;
}

int posix_memalign(void **result, size_t alignment, size_t size) {
    note(__builtin_return_address(0));
    *result = keep(__libc_memalign(alignment, size));
    return *result ? 0 : 12;
}

void *aligned_alloc(size_t alignment, size_t size) {
    note(__builtin_return_address(0));
    return keep(__libc_memalign(alignment, size));
}

void free(void *pointer) {
    held -= pointer != NULL;
    held_bytes -= (int64_t)malloc_usable_size(pointer);
    __libc_free(pointer);
}
#endif
