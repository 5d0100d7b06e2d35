internal import COpenSSL

/// Certificates of this side: how one is filled in and signed.
extension Certificate {
    /// Makes a certificate.
    ///
    /// - Parameters:
    ///   - subject: whom it names.
    ///   - publicKey: the key that it is for.
    ///   - start: when it begins to be valid, in seconds from now; five minutes earlier, for clocks that run behind.
    ///   - end: when that ends, in seconds from now.
    ///   - issuer: in whose name it is signed; `nil` for its own.
    ///   - signer: the issuer's key.
    ///   - extensions: in OpenSSL's words, in their order.
    /// - Returns: the certificate.
    /// - Throws: `TLSError` where OpenSSL fails.
    static func make(
        _ subject: SubjectName,
        for publicKey: OpaquePointer,
        from start: Int,
        to end: Int,
        issuer: Certificate?,
        signer: PrivateKey,
        extensions: [(CInt, String)]
    ) throws(TLSError) -> Certificate {
        guard let pointer = X509_new() else { throw .drainingQueue(while: "make a certificate") }
        let certificate = Certificate(owning: pointer)
        let issuer = issuer ?? certificate
        let number = BN_bin2bn(try Digest.random(16).enumerated().map { $0 == 0 ? $1 & 0x7F : $1 }, 16, nil)
        defer { BN_free(number) }
        try subject.add(to: X509_get_subject_name(pointer))
        guard X509_set_version(pointer, 2) == 1,
            BN_to_ASN1_INTEGER(number, X509_get_serialNumber(pointer)) != nil,
            X509_gmtime_adj(X509_getm_notBefore(pointer), start - 300) != nil,
            X509_gmtime_adj(X509_getm_notAfter(pointer), end) != nil,
            X509_set_issuer_name(pointer, X509_get_subject_name(issuer.pointer)) == 1,
            X509_set_pubkey(pointer, publicKey) == 1
        else { throw .drainingQueue(while: "fill in a certificate") }
        for (identifier, value) in extensions { try certificate.add(identifier, value, issuer: issuer) }
        guard X509_sign(pointer, signer.pointer, EVP_sha256()) > 0 else {
            throw .drainingQueue(while: "sign a certificate")
        }
        return certificate
    }

    private func add(_ identifier: CInt, _ value: String, issuer: Certificate) throws(TLSError) {
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
