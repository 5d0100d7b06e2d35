// libcurl, and wrappers for its variadic options.
#pragma once
#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

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

// Typed forms of the variadic curl_easy_setopt; each refuses an option of another kind.
static inline CURLcode tendril_curl_set_number(CURL *curl, CURLoption option, long value) {
    if (option >= CURLOPTTYPE_OBJECTPOINT) return CURLE_BAD_FUNCTION_ARGUMENT;
    return curl_easy_setopt(curl, option, value);
}

// libcurl copies the text, except for CURLOPT_POSTFIELDS.
static inline CURLcode tendril_curl_set_text(CURL *curl, CURLoption option, const char *value) {
    if (option < CURLOPTTYPE_OBJECTPOINT || option >= CURLOPTTYPE_FUNCTIONPOINT) return CURLE_BAD_FUNCTION_ARGUMENT;
    return curl_easy_setopt(curl, option, value);
}

// Ends a connection that takes nothing for half a minute: while data waits the kernel does not probe, and sends again for a
// quarter of an hour (tcp(7)), and requests that are given up leave their data there.
static inline int tendril_curl_limit_silence(void *context, curl_socket_t socket, curlsocktype purpose) {
    unsigned milliseconds = 30000;
    (void)context, (void)purpose;
    (void)setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds, sizeof milliseconds);
    return CURL_SOCKOPT_OK;
}

static inline CURLcode tendril_curl_set_silence_limit(CURL *curl) {
    return curl_easy_setopt(curl, CURLOPT_SOCKOPTFUNCTION, tendril_curl_limit_silence);
}

// The list must live as long as the transfer.
static inline CURLcode tendril_curl_set_headers(CURL *curl, struct curl_slist *list) {
    return curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
}

// libcurl copies the bytes.
static inline CURLcode tendril_curl_set_blob(CURL *curl, CURLoption option, const void *bytes, size_t count) {
    if (option < CURLOPTTYPE_BLOB) return CURLE_BAD_FUNCTION_ARGUMENT;
    struct curl_blob blob = {.data = (void *)bytes, .len = count, .flags = CURL_BLOB_COPY};
    return curl_easy_setopt(curl, option, &blob);
}

// libcurl copies the body.
static inline CURLcode tendril_curl_set_body(CURL *curl, const void *bytes, size_t count) {
    CURLcode code = curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)count);
    return code == CURLE_OK ? curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, (const char *)bytes) : code;
}

// Makes a file the body, read while it is sent; what is returned must live as long as the transfer, and is given back by
// tendril_curl_close_upload. NULL where the file cannot be read.
static inline void *tendril_curl_set_upload(CURL *curl, const char *path) {
    struct stat info;
    FILE *file = fopen(path, "re");
    if (file == NULL) return NULL;
    if (fstat(fileno(file), &info) == 0 && S_ISREG(info.st_mode)
        && curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L) == CURLE_OK
        && curl_easy_setopt(curl, CURLOPT_READDATA, file) == CURLE_OK
        && curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)info.st_size) == CURLE_OK)
        return file;
    fclose(file);
    return NULL;
}

static inline void tendril_curl_close_upload(void *file) {
    if (file != NULL) fclose((FILE *)file);
}

// Hands body bytes to `body` and header lines to `header`, both with `context`; `reason` has CURL_ERROR_SIZE bytes.
static inline CURLcode tendril_curl_set_callbacks(
    CURL *curl, tendril_curl_writer body, tendril_curl_writer header, void *context, char *reason
) {
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, context);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, context);
    curl_easy_setopt(curl, CURLOPT_PRIVATE, context);
    return curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
}

static inline long tendril_curl_status(CURL *curl) {
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

// Why the peer's certificate was refused: X509_V_OK or another of OpenSSL's numbers.
static inline long tendril_curl_verify_result(CURL *curl) {
    long result = 0;
    curl_easy_getinfo(curl, CURLINFO_SSL_VERIFYRESULT, &result);
    return result;
}

// The next finished transfer, its result and the context given with its callbacks; NULL when there is none.
static inline CURL *tendril_curl_next_finished(CURLM *multi, CURLcode *result, void **context) {
    int left = 0;
    CURLMsg *message;
    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) continue;
        *result = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, context);
        return message->easy_handle;
    }
    return NULL;
}

// Waits for the transfers or for `wake` to become readable, at most `milliseconds`.
static inline CURLMcode tendril_curl_wait(CURLM *multi, int wake, int milliseconds) {
    struct curl_waitfd extra = {.fd = wake, .events = CURL_WAIT_POLLIN};
    return curl_multi_poll(multi, &extra, 1, milliseconds, NULL);
}
