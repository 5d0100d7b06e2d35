internal import COpenSSL

/// A request for a certificate (PKCS#10, RFC 2986): who asks for what, with proof of the key.
package final class CertificateRequest: @unchecked Sendable {
    /// The largest request that is read, in bytes of PEM.
    package static var maximumByteCount: Int { 16 * 1024 }

    /// What kind of key stands behind the request.
    package enum KeyKind: Hashable, Sendable {
        case p256
        case ed25519
        case other(String)
    }

    package let subject: SubjectName
    package let names: AlternativeNames
    package let key: KeyKind
    /// The extensions asked for besides alternative names, by their short names.
    package let otherExtensions: [String]
    /// SHA-256 of the public key (SubjectPublicKeyInfo in DER).
    package let keyDigest: [UInt8]
    private let pointer: OpaquePointer

    deinit { X509_REQ_free(pointer) }

    /// Reads a request in PEM and checks that its signature is of the key that it names.
    package init(pem: [UInt8]) throws(TLSError) {
        ERR_clear_error()
        guard pem.count <= Self.maximumByteCount else {
            throw TLSError("read the request", reasons: ["it is larger than \(Self.maximumByteCount) bytes"])
        }
        guard let bio = BIO_new_mem_buf(pem, CInt(clamping: pem.count)) else {
            throw .drainingQueue(while: "read the request")
        }
        defer { BIO_free(bio) }
        guard let pointer = PEM_read_bio_X509_REQ(bio, nil, nil, nil) else {
            throw .drainingQueue(while: "read the request")
        }
        let key = X509_REQ_get0_pubkey(pointer)
        guard let key, X509_REQ_verify(pointer, key) == 1 else {
            X509_REQ_free(pointer)
            throw TLSError("read the request", reasons: ["its signature is not of its own key"])
        }
        let extensions = X509_REQ_get_extensions(pointer)
        defer { tendril_free_extensions(extensions) }
        let kinds = (0..<tendril_extension_count(extensions)).map { tendril_extension_kind(extensions, $0) }
        let raw = X509V3_get_d2i(extensions, NID_subject_alt_name, nil, nil)
        let list = raw.map { OpaquePointer($0) }
        defer { GENERAL_NAMES_free(list) }
        var names = AlternativeNames(list)
        let asked = kinds.filter { $0 == NID_subject_alt_name }.count
        // Two lists of names, or one that cannot be read, is none that anyone means.
        if asked > 1 || (asked == 1 && list == nil) { names.others += 1 }
        subject = SubjectName(X509_REQ_get_subject_name(pointer))
        self.names = names
        self.key = Self.kind(of: key)
        otherExtensions = kinds.filter { $0 != NID_subject_alt_name }.map { kind in
            OBJ_nid2sn(kind).map { String(cString: $0) } ?? "?"
        }
        keyDigest = Self.digest(of: key)
        self.pointer = pointer
        ERR_clear_error()
    }

    /// Makes a request in PEM for a key of this side.
    package static func make(
        subject: SubjectName,
        names: AlternativeNames = AlternativeNames(),
        key: KeyPair
    ) throws(TLSError) -> [UInt8] {
        ERR_clear_error()
        guard let pointer = X509_REQ_new() else { throw .drainingQueue(while: "make a request") }
        defer { X509_REQ_free(pointer) }
        guard X509_REQ_set_version(pointer, 0) == 1, X509_REQ_set_pubkey(pointer, key.key.pointer) == 1 else {
            throw .drainingQueue(while: "make a request")
        }
        try subject.add(to: X509_REQ_get_subject_name(pointer))
        if !names.isEmpty {
            guard names.isPlain, let value = X509V3_EXT_conf_nid(nil, nil, NID_subject_alt_name, names.configuration)
            else { throw .drainingQueue(while: "add names to a request") }
            defer { X509_EXTENSION_free(value) }
            guard tendril_request_add_extension(pointer, value) == 1 else {
                throw .drainingQueue(while: "add names to a request")
            }
        }
        let digest = tendril_key_type(key.key.pointer) == EVP_PKEY_ED25519 ? nil : EVP_sha256()
        guard X509_REQ_sign(pointer, key.key.pointer, digest) > 0 else { throw .drainingQueue(while: "sign a request") }
        return try PEM.text { PEM_write_bio_X509_REQ($0, pointer) }
    }

    /// The key that the certificate is to be for; borrowed.
    var publicKey: OpaquePointer? { X509_REQ_get0_pubkey(pointer) }

    private static func kind(of key: OpaquePointer) -> KeyKind {
        let type = tendril_key_type(key)
        if type == EVP_PKEY_ED25519 { return .ed25519 }
        if type == EVP_PKEY_EC, tendril_key_bits(key) == 256 {
            var name = [CChar](repeating: 0, count: 64)
            var count = 0
            EVP_PKEY_get_group_name(key, &name, name.count, &count)
            if String(decoding: name.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self) == "prime256v1" {
                return .p256
            }
        }
        let text = OBJ_nid2sn(type).map { String(cString: $0) } ?? "unknown"
        return .other("\(text) of \(tendril_key_bits(key)) bits")
    }

    /// SHA-256 of a public key's SubjectPublicKeyInfo.
    static func digest(of key: OpaquePointer) -> [UInt8] {
        var bytes: UnsafeMutablePointer<UInt8>?
        let count = i2d_PUBKEY(key, &bytes)
        guard count > 0, let bytes else { return [] }
        defer { CRYPTO_free(bytes, nil, 0) }
        return Digest.sha256(UnsafeBufferPointer(start: bytes, count: Int(count)))
    }
}
