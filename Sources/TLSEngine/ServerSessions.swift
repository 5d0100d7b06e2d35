internal import COpenSSL
package import TendrilCore

/// Sessions of an HTTPS server that anybody may speak to: TLS 1.3, its own certificate, none of the client's.
package final class ServerSessions: @unchecked Sendable {
    private let context: OpaquePointer

    /// Takes the server's certificate with any intermediates, and its key, both in PEM.
    package init(certificate: [UInt8], key: Secret) throws(TLSError) {
        ERR_clear_error()
        let chain = try Certificate.chain(pem: certificate, "certificate")
        let key = try PrivateKey(pem: key)
        guard let context = SSL_CTX_new(TLS_server_method()) else {
            throw .drainingQueue(while: "create a TLS context")
        }
        self.context = context
        guard tendril_ctx_set_tls13_only(context) == 1, let first = chain.first,
            SSL_CTX_use_certificate(context, first.pointer) == 1
        else { throw .drainingQueue(while: "use the certificate") }
        for certificate in chain.dropFirst() {
            // The context takes its own reference on success.
            X509_up_ref(certificate.pointer)
            guard tendril_ctx_add_chain_certificate(context, certificate.pointer) == 1 else {
                X509_free(certificate.pointer)
                throw .drainingQueue(while: "use the certificate's chain")
            }
        }
        guard SSL_CTX_use_PrivateKey(context, key.pointer) == 1, SSL_CTX_check_private_key(context) == 1 else {
            throw .drainingQueue(while: "use the key; it does not belong to the certificate")
        }
    }

    deinit { SSL_CTX_free(context) }

    /// A session (`SSL *`), which the caller owns; `nil` where there is no memory.
    package func make() -> OpaquePointer? { SSL_new(context) }
}
