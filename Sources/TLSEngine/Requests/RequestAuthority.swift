internal import COpenSSL
internal import Glibc
package import TendrilCore

/// A CA that issues leaf certificates for keys of others and of this side.
///
/// What stands in them the caller says; of a request only the key is taken.
package final class RequestAuthority: @unchecked Sendable {
    /// What a leaf may be used for (RFC 5280 section 4.2.1.12).
    package enum Usage: String, Sendable {
        case server = "serverAuth"
        case client = "clientAuth"
    }

    private let certificate: Certificate
    private let key: PrivateKey

    /// Takes a CA's certificate and key, which must belong together.
    package init(certificate pem: [UInt8], key: Secret) throws(TLSError) {
        ERR_clear_error()
        let certificate = try Certificate(pem: pem, "CA certificate")
        let key = try PrivateKey(pem: key)
        guard X509_check_private_key(certificate.pointer, key.pointer) == 1 else {
            throw .drainingQueue(while: "use the CA: its key is not of its certificate")
        }
        self.certificate = certificate
        self.key = key
    }

    /// Issues a certificate for TLS clients.
    ///
    /// - Parameters:
    ///   - request: whose key it is for.
    ///   - subject: its subject.
    ///   - names: its alternative names, of plain texts.
    ///   - lifetime: in seconds from now; it ends with the CA at the latest.
    /// - Returns: the certificate in PEM.
    /// - Throws: `TLSError` where OpenSSL fails.
    package func issue(
        _ request: CertificateRequest,
        subject: SubjectName,
        names: AlternativeNames,
        lifetime: UInt64
    ) throws(TLSError) -> [UInt8] {
        guard let publicKey = request.publicKey else { throw .drainingQueue(while: "make a certificate") }
        return try issue(publicKey, subject, names, [.client], lifetime)
    }

    /// Issues a certificate for a key of this side.
    ///
    /// - Parameters:
    ///   - key: whose public half it is for.
    ///   - subject: its subject.
    ///   - names: its alternative names, of plain texts.
    ///   - usages: at least one.
    ///   - lifetime: in seconds from now; it ends with the CA at the latest.
    /// - Returns: the certificate in PEM.
    /// - Throws: `TLSError` where OpenSSL fails.
    package func issue(
        _ key: KeyPair,
        subject: SubjectName,
        names: AlternativeNames = AlternativeNames(),
        usages: [Usage],
        lifetime: UInt64
    ) throws(TLSError) -> [UInt8] {
        try issue(key.key.pointer, subject, names, usages, lifetime)
    }

    private func issue(
        _ publicKey: OpaquePointer,
        _ subject: SubjectName,
        _ names: AlternativeNames,
        _ usages: [Usage],
        _ lifetime: UInt64
    ) throws(TLSError) -> [UInt8] {
        ERR_clear_error()
        let now = UInt64(max(time(nil), 0))
        let end = min(now + lifetime, certificate.expiry)
        var extensions = [
            (NID_basic_constraints, "critical,CA:FALSE"), (NID_key_usage, "critical,digitalSignature"),
            (NID_ext_key_usage, usages.map(\.rawValue).joined(separator: ",")),
        ]
        if X509_get0_subject_key_id(certificate.pointer) != nil {
            extensions.append((NID_authority_key_identifier, "keyid"))
        }
        if !names.isEmpty {
            guard names.isPlain else { throw TLSError("issue a certificate", reasons: ["a name is not plain"]) }
            extensions.append((NID_subject_alt_name, names.configuration))
        }
        let leaf = try Certificate.make(
            subject,
            for: publicKey,
            from: 0,
            to: Int(clamping: end > now ? end - now : 0),
            issuer: certificate,
            signer: key,
            extensions: extensions
        )
        return try leaf.pem()
    }
}
