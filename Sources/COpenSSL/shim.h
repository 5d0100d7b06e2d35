// OpenSSL's headers, and wrappers for the macros that Swift cannot import.
#pragma once
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

static inline int tendril_ctx_set_tls13_only(SSL_CTX *context) {
    return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1
        && SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1;
}

static inline long tendril_ctx_set_mode(SSL_CTX *context, long mode) { return SSL_CTX_set_mode(context, mode); }

static inline int tendril_ctx_set_groups(SSL_CTX *context, const char *groups) {
    return (int)SSL_CTX_set1_groups_list(context, groups);
}

static inline void tendril_ctx_disable_session_cache(SSL_CTX *context) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
}

static inline int tendril_ssl_set_server_name(SSL *ssl, const char *name) {
    return (int)SSL_set_tlsext_host_name(ssl, name);
}

static inline void tendril_bio_set_retry_read(BIO *bio) { BIO_set_retry_read(bio); }
static inline void tendril_bio_clear_retry(BIO *bio) { BIO_clear_retry_flags(bio); }

// Returns a new reference that the caller frees with EVP_PKEY_free, or NULL.
static inline EVP_PKEY *tendril_generate_p256_key(void) { return EVP_EC_gen("P-256"); }

// The group of the finished handshake as text, or NULL where this OpenSSL cannot tell.
static inline const char *tendril_ssl_group_name(SSL *ssl) {
#if OPENSSL_VERSION_NUMBER >= 0x30200000L
    return SSL_get0_group_name(ssl);
#else
    int nid = (int)SSL_get_negotiated_group(ssl);
    return nid == NID_undef ? NULL : OBJ_nid2sn(nid);
#endif
}

// The DER bytes inside an extension or a name of type GEN_URI; borrowed from the name.
static inline int tendril_general_name_uri(const GENERAL_NAME *name, const unsigned char **bytes) {
    if (name->type != GEN_URI) return -1;
    *bytes = ASN1_STRING_get0_data(name->d.uniformResourceIdentifier);
    return ASN1_STRING_length(name->d.uniformResourceIdentifier);
}

static inline int tendril_general_name_count(const GENERAL_NAMES *names) { return sk_GENERAL_NAME_num(names); }
static inline const GENERAL_NAME *tendril_general_name_at(const GENERAL_NAMES *names, int index) {
    return sk_GENERAL_NAME_value(names, index);
}

static inline int tendril_ctx_add_chain_certificate(SSL_CTX *context, X509 *certificate) {
    return (int)SSL_CTX_add0_chain_cert(context, certificate);
}

// Whether an error only says that a PEM file has no further block.
static inline int tendril_is_end_of_pem(unsigned long code) {
    return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

static inline void tendril_free_chain(STACK_OF(X509) *chain) { sk_X509_pop_free(chain, X509_free); }
