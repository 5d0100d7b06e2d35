internal import COpenSSL
package import TendrilCore

/// Sessions of a server with its own certificate, in TLS 1.3: anybody may speak to it, or who shows a certificate.
package final class ServerSessions: @unchecked Sendable {
    private let context: OpaquePointer

    /// Takes the server's certificate with any intermediates, and its key, both in PEM.
    ///
    /// - Parameters:
    ///   - certificate: what clients are shown.
    ///   - key: of the certificate.
    ///   - authorities: the CAs in PEM whose certificates clients have to show; `nil` lets anybody in.
    /// - Throws: `TLSError` that names what is wrong.
    package init(certificate: [UInt8], key: Secret, clients authorities: [UInt8]? = nil) throws(TLSError) {
        ERR_clear_error()
        guard let context = SSL_CTX_new(TLS_server_method()) else {
            throw .drainingQueue(while: "create a TLS context")
        }
        self.context = context
        guard tendril_ctx_set_tls13_only(context) == 1 else {
            throw .drainingQueue(while: "restrict TLS to version 1.3")
        }
        try TLSContext.loadIdentity(certificate: certificate, key: key, into: context)
        guard let authorities else { return }
        try TLSContext.loadAuthorities(authorities, into: context)
        // Nothing is resumed that was not verified in this session.
        SSL_CTX_set_num_tickets(context, 0)
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
    }

    deinit { SSL_CTX_free(context) }

    /// A session (`SSL *`), which the caller owns; `nil` where there is no memory.
    package func make() -> OpaquePointer? { SSL_new(context) }

    /// Gives a session back that nobody has taken.
    package static func discard(_ session: OpaquePointer) { SSL_free(session) }

    /// Says that nothing more is sent in a session; the other direction goes on (RFC 8446 section 6.1).
    package static func endSending(_ session: OpaquePointer?) {
        guard let session else { return }
        SSL_shutdown(session)
        ERR_clear_error()
    }
}
