internal import COpenSSL
internal import Glibc
internal import TendrilCore

/// What a certificate says.
package struct CertificateFacts: Hashable, Sendable {
    package let subject: SubjectName
    package let names: AlternativeNames
    /// The first second of validity since 1970.
    package let start: UInt64
    /// The last second of validity since 1970.
    package let expiry: UInt64
    /// SHA-256 of the certificate in DER.
    package let fingerprint: [UInt8]
    /// SHA-256 of its public key (SubjectPublicKeyInfo in DER).
    package let keyDigest: [UInt8]
    /// The subject key identifier (RFC 5280 section 4.2.1.2); empty where there is none.
    package let keyID: [UInt8]
    /// The authority key identifier (RFC 5280 section 4.2.1.1), which names the key that signed; empty where there is none.
    package let issuerKeyID: [UInt8]

    /// Reads every certificate of a bundle in PEM.
    package static func bundle(_ pem: [UInt8], _ field: String) throws(TLSError) -> [CertificateFacts] {
        ERR_clear_error()
        return try Certificate.chain(pem: pem, field).map(CertificateFacts.init)
    }

    /// Reads the first certificate of a text in PEM.
    package init(pem: [UInt8], _ field: String) throws(TLSError) { self.init(try Certificate(pem: pem, field)) }

    /// The moment, since 1970, at which this share of the validity has passed.
    package func moment(at share: Double) -> UInt64 {
        start + UInt64(Double(expiry > start ? expiry - start : 0) * min(max(share, 0), 1))
    }

    init(_ certificate: Certificate) {
        subject = SubjectName(X509_get_subject_name(certificate.pointer))
        let list = X509_get_ext_d2i(certificate.pointer, NID_subject_alt_name, nil, nil).map { OpaquePointer($0) }
        names = AlternativeNames(list)
        GENERAL_NAMES_free(list)
        start = Self.seconds(X509_get0_notBefore(certificate.pointer))
        expiry = Self.seconds(X509_get0_notAfter(certificate.pointer))
        var digest = [UInt8](repeating: 0, count: 32)
        X509_digest(certificate.pointer, EVP_sha256(), &digest, nil)
        fingerprint = digest
        keyDigest = X509_get0_pubkey(certificate.pointer).map { CertificateRequest.digest(of: $0) } ?? []
        keyID = Self.bytes(X509_get0_subject_key_id(certificate.pointer))
        issuerKeyID = Self.bytes(X509_get0_authority_key_id(certificate.pointer))
    }

    private static func bytes(_ text: UnsafePointer<ASN1_OCTET_STRING>?) -> [UInt8] {
        guard let text, let start = ASN1_STRING_get0_data(text) else { return [] }
        return Array(UnsafeBufferPointer(start: start, count: max(Int(ASN1_STRING_length(text)), 0)))
    }

    private static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> UInt64 {
        var parts = tm()
        guard ASN1_TIME_to_tm(time, &parts) == 1 else { return 0 }
        return UInt64(max(timegm(&parts), 0))
    }
}
