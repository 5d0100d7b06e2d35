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
        guard let pointer = X509_new() else { throw .drainingQueue(while: "make a certificate") }
        let leaf = Certificate(owning: pointer)
        let now = UInt64(max(time(nil), 0))
        let end = min(now + lifetime, certificate.expiry)
        let number = BN_bin2bn(try Digest.random(16).enumerated().map { $0 == 0 ? $1 & 0x7F : $1 }, 16, nil)
        defer { BN_free(number) }
        // Five minutes before now, for clocks that run behind.
        guard X509_set_version(pointer, 2) == 1,
            BN_to_ASN1_INTEGER(number, X509_get_serialNumber(pointer)) != nil,
            X509_gmtime_adj(X509_getm_notBefore(pointer), -300) != nil,
            X509_gmtime_adj(X509_getm_notAfter(pointer), Int(clamping: end > now ? end - now : 0)) != nil,
            X509_set_issuer_name(pointer, X509_get_subject_name(certificate.pointer)) == 1,
            X509_set_pubkey(pointer, publicKey) == 1
        else { throw .drainingQueue(while: "fill in a certificate") }
        try subject.add(to: X509_get_subject_name(pointer))
        try leaf.add(NID_basic_constraints, "critical,CA:FALSE", issuer: certificate)
        try leaf.add(NID_key_usage, "critical,digitalSignature", issuer: certificate)
        try leaf.add(NID_ext_key_usage, usages.map(\.rawValue).joined(separator: ","), issuer: certificate)
        if X509_get0_subject_key_id(certificate.pointer) != nil {
            try leaf.add(NID_authority_key_identifier, "keyid", issuer: certificate)
        }
        if !names.isEmpty {
            guard names.isPlain else { throw TLSError("issue a certificate", reasons: ["a name is not plain"]) }
            try leaf.add(NID_subject_alt_name, names.configuration, issuer: certificate)
        }
        guard X509_sign(pointer, key.pointer, EVP_sha256()) > 0 else {
            throw .drainingQueue(while: "sign a certificate")
        }
        return try leaf.pem()
    }
}

extension Certificate {
    /// Adds an extension in OpenSSL's words.
    func add(_ identifier: CInt, _ value: String, issuer: Certificate) throws(TLSError) {
        var context = X509V3_CTX()
        X509V3_set_ctx(&context, issuer.pointer, pointer, nil, nil, 0)
        guard let value = X509V3_EXT_conf_nid(nil, &context, identifier, value) else {
            throw .drainingQueue(while: "add an extension to a certificate")
        }
        defer { X509_EXTENSION_free(value) }
        guard X509_add_ext(pointer, value, -1) == 1 else {
            throw .drainingQueue(while: "add an extension to a certificate")
        }
    }
}
