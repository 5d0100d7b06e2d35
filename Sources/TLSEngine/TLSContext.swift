internal import COpenSSL
package import TendrilCore

/// Which ciphers a link may use (RFC 8446 section B.4).
package enum CipherSuite: String, CaseIterable, Sendable {
    case aes128 = "AES-128-GCM"
    case aes256 = "AES-256-GCM"
    case chacha20 = "ChaCha20-Poly1305"

    var name: String {
        switch self {
        case .aes128: "TLS_AES_128_GCM_SHA256"
        case .aes256: "TLS_AES_256_GCM_SHA384"
        case .chacha20: "TLS_CHACHA20_POLY1305_SHA256"
        }
    }
}

/// The certificates, keys and rules of one side: TLS 1.3 only, both sides authenticated, nothing optional.
package struct TLSContext: ~Copyable, @unchecked Sendable {
    let pointer: OpaquePointer
    /// This side's identity, from its own certificate.
    package let identity: TunnelIdentity
    /// The last second of this side's certificate since 1970.
    package let expiry: UInt64
    /// What the ClientHello's gate token is computed with; only a client has it.
    private let gate: GateStamp?

    /// Builds a context; everything that can be wrong with the files is found here.
    ///
    /// - Parameters:
    ///   - credentials: the content of the files.
    ///   - role: the side that this program is; the certificate must agree.
    ///   - ciphers: those that may be used, the preferred first.
    ///   - stamp: on a client, computes the extension's bytes for a client random.
    /// - Throws: `TLSError` that names what is wrong with which file.
    package init(
        _ credentials: Credentials,
        role: TunnelIdentity.Role,
        ciphers: [CipherSuite],
        stamp: (@Sendable ([UInt8]) -> [UInt8])? = nil
    ) throws(TLSError) {
        ERR_clear_error()
        let certificate = try Certificate(pem: credentials.certificate, "certificate")
        guard let identity = certificate.identity else {
            throw TLSError("use the certificate", reasons: ["it has no URI name spiffe://<cluster>/vpn/<role>/<name>"])
        }
        guard identity.role == role else {
            throw TLSError("use the certificate", reasons: ["it is a \(identity.role)'s, not a \(role)'s: \(identity)"])
        }
        guard let context = SSL_CTX_new(TLS_method()) else { throw .drainingQueue(while: "create a TLS context") }
        var gate: GateStamp?
        do throws(TLSError) {
            try Self.setRules(context, ciphers: ciphers)
            try Self.load(credentials, into: context)
            if let stamp { gate = try GateStamp(stamp, on: context) }
        } catch {
            SSL_CTX_free(context)
            throw error
        }
        pointer = context
        self.gate = gate
        self.identity = identity
        self.expiry = certificate.expiry
    }

    deinit { SSL_CTX_free(pointer) }

    private static func setRules(_ context: OpaquePointer, ciphers: [CipherSuite]) throws(TLSError) {
        let suites = ciphers.map(\.name).joined(separator: ":")
        guard tendril_ctx_set_tls13_only(context) == 1, SSL_CTX_set_ciphersuites(context, suites) == 1 else {
            throw .drainingQueue(while: "restrict TLS to version 1.3 and \(suites)")
        }
        // The hybrid group where this OpenSSL has it (3.5); the second list is for those that have not.
        if tendril_ctx_set_groups(context, "X25519MLKEM768:X25519:P-256") != 1 {
            ERR_clear_error()
            guard tendril_ctx_set_groups(context, "X25519:P-256") == 1 else {
                throw .drainingQueue(while: "choose key exchange groups")
            }
        }
        let options =
            UInt64(1) << 14  // SSL_OP_NO_TICKET
            | UInt64(1) << 17  // SSL_OP_NO_COMPRESSION
            | UInt64(1) << 30  // SSL_OP_NO_RENEGOTIATION
        SSL_CTX_set_options(context, options)
        SSL_CTX_set_num_tickets(context, 0)
        SSL_CTX_set_max_early_data(context, 0)
        tendril_ctx_disable_session_cache(context)
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
        SSL_CTX_set_verify_depth(context, 4)
        SSL_CTX_set_quiet_shutdown(context, 1)
    }

    /// Has a context (`SSL_CTX *`) show a certificate with any intermediates, both in PEM.
    static func loadIdentity(certificate: [UInt8], key: Secret, into context: OpaquePointer) throws(TLSError) {
        let chain = try Certificate.chain(pem: certificate, "certificate")
        guard let first = chain.first, SSL_CTX_use_certificate(context, first.pointer) == 1 else {
            throw .drainingQueue(while: "use the certificate")
        }
        for intermediate in chain.dropFirst() {
            // The context takes its own reference on success.
            X509_up_ref(intermediate.pointer)
            guard tendril_ctx_add_chain_certificate(context, intermediate.pointer) == 1 else {
                X509_free(intermediate.pointer)
                throw .drainingQueue(while: "use the certificate's chain")
            }
        }
        let key = try PrivateKey(pem: key)
        guard SSL_CTX_use_PrivateKey(context, key.pointer) == 1, SSL_CTX_check_private_key(context) == 1 else {
            throw .drainingQueue(while: "use the key; it does not belong to the certificate")
        }
    }

    private static func load(_ credentials: Credentials, into context: OpaquePointer) throws(TLSError) {
        try loadIdentity(certificate: credentials.certificate, key: credentials.key, into: context)
        try loadAuthorities(credentials.authorities, into: context)
    }

    /// Has a context (`SSL_CTX *`) believe these CAs, in PEM.
    static func loadAuthorities(_ bundle: [UInt8], into context: OpaquePointer) throws(TLSError) {
        let authorities = try Certificate.chain(pem: bundle, "CA bundle")
        guard !authorities.isEmpty else { throw TLSError("use the CA bundle", reasons: ["it holds no certificate"]) }
        let store = SSL_CTX_get_cert_store(context)
        for authority in authorities {
            guard X509_STORE_add_cert(store, authority.pointer) == 1 else {
                throw .drainingQueue(while: "use the CA bundle")
            }
        }
    }

    /// Whether the chain of a live peer still leads to this context's CA bundle, and every date still holds.
    package func stillTrusts(_ peer: PeerCertificate) -> Bool {
        guard let verification = X509_STORE_CTX_new() else { return false }
        defer {
            X509_STORE_CTX_free(verification)
            ERR_clear_error()
        }
        return X509_STORE_CTX_init(verification, SSL_CTX_get_cert_store(pointer), peer.pointer, peer.chain) == 1
            && X509_verify_cert(verification) == 1
    }
}

/// The content of the files that make up one side's identity.
package struct Credentials: Sendable {
    /// One or more CA certificates in PEM.
    package let authorities: [UInt8]
    /// This side's certificate, then any intermediates, in PEM.
    package let certificate: [UInt8]
    /// The certificate's private key in PEM, unencrypted.
    package let key: Secret

    package init(authorities: [UInt8], certificate: [UInt8], key: Secret) {
        self.authorities = authorities
        self.certificate = certificate
        self.key = key
    }
}
