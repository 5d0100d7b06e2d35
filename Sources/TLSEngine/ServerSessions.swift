internal import COpenSSL
package import TendrilCore

/// Sessions of an HTTPS server that anybody may speak to: TLS 1.3, its own certificate, none of the client's.
package final class ServerSessions: @unchecked Sendable {
    private let context: OpaquePointer

    /// Takes the server's certificate with any intermediates, and its key, both in PEM.
    package init(certificate: [UInt8], key: Secret) throws(TLSError) {
        ERR_clear_error()
        guard let context = SSL_CTX_new(TLS_server_method()) else {
            throw .drainingQueue(while: "create a TLS context")
        }
        self.context = context
        guard tendril_ctx_set_tls13_only(context) == 1 else {
            throw .drainingQueue(while: "restrict TLS to version 1.3")
        }
        try TLSContext.loadIdentity(certificate: certificate, key: key, into: context)
    }

    deinit { SSL_CTX_free(context) }

    /// A session (`SSL *`), which the caller owns; `nil` where there is no memory.
    package func make() -> OpaquePointer? { SSL_new(context) }
}
