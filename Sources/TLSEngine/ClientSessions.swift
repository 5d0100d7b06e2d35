internal import COpenSSL
package import TendrilCore

/// Sessions of a client of ordinary servers, in TLS 1.2 or later: the server's certificate has to lead to the CAs and to
/// name the host that was asked for.
package final class ClientSessions: @unchecked Sendable {
    private let context: OpaquePointer

    /// Takes whom to believe, and what to show.
    ///
    /// - Parameters:
    ///   - authorities: the CAs in PEM; `nil` for those of the system.
    ///   - identity: a certificate with any intermediates, and its key, both in PEM; `nil` for none.
    /// - Throws: `TLSError` that names what is wrong.
    package init(
        authorities: [UInt8]?,
        identity: (certificate: [UInt8], key: Secret)? = nil
    ) throws(TLSError) {
        ERR_clear_error()
        guard let context = SSL_CTX_new(TLS_client_method()) else {
            throw .drainingQueue(while: "create a TLS context")
        }
        self.context = context
        guard tendril_ctx_set_tls12_at_least(context) == 1 else {
            throw .drainingQueue(while: "restrict TLS to version 1.2 and later")
        }
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        if let authorities {
            try TLSContext.loadAuthorities(authorities, into: context)
        } else if SSL_CTX_set_default_verify_paths(context) != 1 {
            throw .drainingQueue(while: "use the system's CAs")
        }
        if let identity {
            try TLSContext.loadIdentity(certificate: identity.certificate, key: identity.key, into: context)
        }
    }

    deinit { SSL_CTX_free(context) }

    /// Makes a session with a host.
    ///
    /// - Parameter host: a name, or an address without brackets; the server's certificate has to hold it.
    /// - Returns: an `SSL *`, which the caller owns; `nil` where there is no memory.
    package func make(to host: String) -> OpaquePointer? {
        guard let session = SSL_new(context) else { return nil }
        let isExpecting =
            IPAddress(host) == nil
            ? SSL_set1_host(session, host) == 1 && tendril_ssl_set_server_name(session, host) == 1
            : X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), host) == 1
        guard isExpecting else {
            SSL_free(session)
            return nil
        }
        return session
    }

    /// Gives a session back that nobody has taken.
    package static func discard(_ session: OpaquePointer) { SSL_free(session) }

    /// Why the server of a session is not believed; `nil` where that was not the reason.
    package static func distrust(in session: OpaquePointer?) -> String? {
        guard let session, case let result = SSL_get_verify_result(session), result != X509_V_OK else { return nil }
        return String(cString: X509_verify_cert_error_string(result))
    }
}
