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

static inline int tendril_ctx_set_tls12_at_least(SSL_CTX *context) {
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1;
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

// From OpenSSL 3.2 on. Weak, so that a program that was built against an older release finds it where it runs.
extern const char *SSL_get0_group_name(SSL *ssl) __attribute__((weak));

// The group of the finished handshake as text, or NULL where this OpenSSL cannot tell.
static inline const char *tendril_ssl_group_name(SSL *ssl) {
    // The other one knows none that has no object identifier, such as X25519MLKEM768.
    if (SSL_get0_group_name != NULL) return SSL_get0_group_name(ssl);
    int nid = (int)SSL_get_negotiated_group(ssl);
    return nid == NID_undef ? NULL : OBJ_nid2sn(nid);
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

// Reads a name of a certificate or a request: its kind as in GENERAL_NAME, and its bytes, borrowed from it. Returns the
// number of bytes, or -1 for a kind that is not read.
static inline int tendril_general_name(const GENERAL_NAME *name, int *kind, const unsigned char **bytes) {
    *kind = name->type;
    switch (name->type) {
    case GEN_DNS: case GEN_URI: case GEN_EMAIL:
        *bytes = ASN1_STRING_get0_data(name->d.ia5);
        return ASN1_STRING_length(name->d.ia5);
    case GEN_IPADD:
        *bytes = ASN1_STRING_get0_data(name->d.iPAddress);
        return ASN1_STRING_length(name->d.iPAddress);
    default:
        return -1;
    }
}

static inline int tendril_extension_count(const STACK_OF(X509_EXTENSION) *list) {
    return list == NULL ? 0 : sk_X509_EXTENSION_num(list);
}
static inline int tendril_extension_kind(const STACK_OF(X509_EXTENSION) *list, int index) {
    return OBJ_obj2nid(X509_EXTENSION_get_object(sk_X509_EXTENSION_value(list, index)));
}
static inline void tendril_free_extensions(STACK_OF(X509_EXTENSION) *list) {
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
}
// Adds one extension to a request through a list of its own; 1 or 0.
static inline int tendril_request_add_extension(X509_REQ *request, X509_EXTENSION *extension) {
    STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
    if (list == NULL) return 0;
    int added = sk_X509_EXTENSION_push(list, extension) > 0 && X509_REQ_add_extensions(request, list) == 1;
    sk_X509_EXTENSION_free(list);
    return added;
}

// The size of the key's group or modulus in bits with its type (EVP_PKEY_EC, EVP_PKEY_RSA, EVP_PKEY_ED25519...).
static inline int tendril_key_type(EVP_PKEY *key) { return EVP_PKEY_get_base_id(key); }
static inline int tendril_key_bits(EVP_PKEY *key) { return EVP_PKEY_get_bits(key); }
