internal import COpenSSL
package import TendrilCore

/// A fresh CA: of a cluster, or of a paired tunnel with leaves whose identity is their URI name.
package struct CertificateIssuer: ~Copyable {
    /// A certificate and its key, both in PEM.
    package struct Issued: Sendable {
        package let certificate: [UInt8]
        package let key: Secret
    }

    private let authority: Certificate
    private let key: PrivateKey

    /// Makes a CA with a fresh P-256 key.
    ///
    /// - Parameters:
    ///   - name: the common name, at most 64 bytes are kept.
    ///   - days: for how long it is valid from now on.
    /// - Throws: `TLSError` where OpenSSL fails.
    package init(name: String, days: Int) throws(TLSError) {
        ERR_clear_error()
        let key = try KeyPair().key
        let authority = try Certificate.make(
            Self.subject(name),
            for: key.pointer,
            from: 0,
            to: days * 86400,
            issuer: nil,
            signer: key,
            extensions: [
                (NID_basic_constraints, "critical,CA:TRUE,pathlen:0"),
                (NID_key_usage, "critical,keyCertSign,cRLSign"), (NID_subject_key_identifier, "hash"),
            ]
        )
        self.key = key
        self.authority = authority
    }

    /// The CA's own certificate in PEM.
    package func authorityPEM() throws(TLSError) -> [UInt8] { try authority.pem() }

    /// The CA's key in PEM.
    package func authorityKeyPEM() throws(TLSError) -> Secret { try key.pem() }

    /// Issues a leaf for an identity, good for TLS on both sides of a handshake.
    ///
    /// - Parameters:
    ///   - identity: becomes the URI name.
    ///   - days: for how long it is valid from now on.
    ///   - start: when it begins to be valid, in seconds from now; negative for the past.
    /// - Returns: the certificate and its key.
    /// - Throws: `TLSError` where OpenSSL fails.
    package func issue(_ identity: TunnelIdentity, days: Int, from start: Int = 0) throws(TLSError) -> Issued {
        ERR_clear_error()
        let leafKey = try KeyPair().key
        let usage = identity.role == .server ? "serverAuth" : "clientAuth"
        let leaf = try Certificate.make(
            Self.subject(identity.name),
            for: leafKey.pointer,
            from: start,
            to: start + days * 86400,
            issuer: authority,
            signer: key,
            extensions: [
                (NID_basic_constraints, "critical,CA:FALSE"), (NID_key_usage, "critical,digitalSignature"),
                (NID_ext_key_usage, usage), (NID_authority_key_identifier, "keyid"),
                (NID_subject_alt_name, "URI:\(identity)"),
            ]
        )
        return Issued(certificate: try leaf.pem(), key: try leafKey.pem())
    }

    private static func subject(_ name: String) -> SubjectName {
        SubjectName(user: String(decoding: name.utf8.prefix(64), as: UTF8.self))
    }
}
