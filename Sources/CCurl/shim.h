// libcurl, and wrappers for its variadic options.
#pragma once
#include <curl/curl.h>

typedef size_t (*tendril_curl_writer)(char *bytes, size_t size, size_t count, void *context);

// Prepares a GET of `url` that gives up after `seconds` and hands what comes to `writer`.
static inline void tendril_curl_set_get(
    CURL *curl, const char *url, long seconds, tendril_curl_writer writer, void *context
) {
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, seconds);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, writer);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, context);
}
