internal import COpenSSL
internal import Glibc
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
        guard let pointer = tendril_generate_p256_key() else { throw .drainingQueue(while: "make a key") }
        let key = PrivateKey(owning: pointer)
        let authority = try Self.certificate(subject: name, days: days, from: 0, key: key, issuer: nil, signer: key) {
            certificate,
            issuer throws(TLSError) in
            try certificate.add(NID_basic_constraints, "critical,CA:TRUE,pathlen:0", issuer: issuer)
            try certificate.add(NID_key_usage, "critical,keyCertSign,cRLSign", issuer: issuer)
            try certificate.add(NID_subject_key_identifier, "hash", issuer: issuer)
        }
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
        guard let pointer = tendril_generate_p256_key() else { throw .drainingQueue(while: "make a key") }
        let leafKey = PrivateKey(owning: pointer)
        let usage = identity.role == .server ? "serverAuth" : "clientAuth"
        let leaf = try Self.certificate(
            subject: identity.name,
            days: days,
            from: start,
            key: leafKey,
            issuer: authority,
            signer: key
        ) { certificate, issuer throws(TLSError) in
            try certificate.add(NID_basic_constraints, "critical,CA:FALSE", issuer: issuer)
            try certificate.add(NID_key_usage, "critical,digitalSignature", issuer: issuer)
            try certificate.add(NID_ext_key_usage, usage, issuer: issuer)
            try certificate.add(NID_authority_key_identifier, "keyid", issuer: issuer)
            try certificate.add(NID_subject_alt_name, "URI:\(identity)", issuer: issuer)
        }
        return Issued(certificate: try leaf.pem(), key: try leafKey.pem())
    }

    private static func certificate(
        subject: String,
        days: Int,
        from start: Int,
        key: PrivateKey,
        issuer: Certificate?,
        signer: PrivateKey,
        extend: (Certificate, Certificate) throws(TLSError) -> Void
    ) throws(TLSError) -> Certificate {
        guard let pointer = X509_new() else { throw .drainingQueue(while: "make a certificate") }
        let certificate = Certificate(owning: pointer)
        var serial = [UInt8](repeating: 0, count: 16)
        guard RAND_bytes(&serial, CInt(serial.count)) == 1 else { throw .drainingQueue(while: "make a serial number") }
        serial[0] &= 0x7F
        let number = BN_bin2bn(serial, CInt(serial.count), nil)
        defer { BN_free(number) }
        let name = X509_get_subject_name(pointer)
        let text = Array(subject.utf8.prefix(64))
        // Five minutes before the start, for clocks that run behind.
        guard X509_set_version(pointer, 2) == 1,
            BN_to_ASN1_INTEGER(number, X509_get_serialNumber(pointer)) != nil,
            X509_gmtime_adj(X509_getm_notBefore(pointer), start - 300) != nil,
            X509_gmtime_adj(X509_getm_notAfter(pointer), start + days * 86400) != nil,
            X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, text, CInt(text.count), -1, 0) == 1,
            X509_set_issuer_name(pointer, X509_get_subject_name(issuer?.pointer ?? pointer)) == 1,
            X509_set_pubkey(pointer, key.pointer) == 1
        else { throw .drainingQueue(while: "fill in a certificate") }
        try extend(certificate, issuer ?? certificate)
        guard X509_sign(pointer, signer.pointer, EVP_sha256()) > 0 else {
            throw .drainingQueue(while: "sign a certificate")
        }
        return certificate
    }
}
