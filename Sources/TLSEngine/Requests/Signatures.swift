internal import COpenSSL
internal import FoundationEssentials
package import TendrilCore

/// A key that signs documents (Ed25519, RFC 8032).
package final class SigningKey: @unchecked Sendable {
    private let key: PrivateKey

    /// Makes a fresh key.
    package init() throws(TLSError) {
        guard let context = EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, nil) else {
            throw .drainingQueue(while: "make a key")
        }
        defer { EVP_PKEY_CTX_free(context) }
        var pointer: OpaquePointer?
        guard EVP_PKEY_keygen_init(context) == 1, EVP_PKEY_keygen(context, &pointer) == 1, let pointer else {
            throw .drainingQueue(while: "make a key")
        }
        key = PrivateKey(owning: pointer)
    }

    /// Reads an Ed25519 key in PEM.
    package init(pem: Secret) throws(TLSError) {
        let key = try PrivateKey(pem: pem)
        guard tendril_key_type(key.pointer) == EVP_PKEY_ED25519 else {
            throw TLSError("use the signing key", reasons: ["it is no Ed25519 key"])
        }
        self.key = key
    }

    /// The key in PEM.
    package func pem() throws(TLSError) -> Secret { try key.pem() }

    /// The key that checks what this one signs.
    package func verifyingKey() throws(TLSError) -> VerifyingKey {
        var bytes = [UInt8](repeating: 0, count: VerifyingKey.byteCount)
        var count = bytes.count
        guard EVP_PKEY_get_raw_public_key(key.pointer, &bytes, &count) == 1 else {
            throw .drainingQueue(while: "read a public key")
        }
        return try VerifyingKey(bytes)
    }

    /// Signs a document: 64 bytes.
    package func sign(_ document: [UInt8]) throws(TLSError) -> [UInt8] {
        guard let context = EVP_MD_CTX_new() else { throw .drainingQueue(while: "sign a document") }
        defer { EVP_MD_CTX_free(context) }
        var signature = [UInt8](repeating: 0, count: 64)
        var count = signature.count
        guard EVP_DigestSignInit(context, nil, nil, nil, key.pointer) == 1,
            EVP_DigestSign(context, &signature, &count, document, document.count) == 1
        else { throw .drainingQueue(while: "sign a document") }
        return signature
    }
}

/// The public half of a signing key.
package struct VerifyingKey: Hashable, Sendable {
    /// The length of a key in bytes.
    package static var byteCount: Int { 32 }
    /// The key as RFC 8032 writes it.
    package let bytes: [UInt8]

    /// Takes the 32 bytes of a key.
    package init(_ bytes: [UInt8]) throws(TLSError) {
        guard bytes.count == Self.byteCount else {
            throw TLSError("use a verifying key", reasons: ["it has \(bytes.count) bytes instead of \(Self.byteCount)"])
        }
        self.bytes = bytes
    }

    /// Whether a signature over a document is this key's.
    package func isValid(_ signature: [UInt8], of document: [UInt8]) -> Bool {
        ERR_clear_error()
        guard let key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, bytes, bytes.count),
            let context = EVP_MD_CTX_new()
        else { return false }
        defer {
            EVP_PKEY_free(key)
            EVP_MD_CTX_free(context)
            ERR_clear_error()
        }
        return EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1
            && EVP_DigestVerify(context, signature, signature.count, document, document.count) == 1
    }
}

/// Signatures that stand beside a document: base64, a line each.
package struct DetachedSignatures: Sendable {
    private let all: [[UInt8]]

    /// Reads those that are base64; others are no signatures.
    package init(_ text: String) {
        all = text.split(separator: "\n").compactMap { Data(base64Encoded: String($0)).map(Array.init) }
    }

    package var isEmpty: Bool { all.isEmpty }

    /// Whether one of them is one of these keys' over a document.
    package func prove(_ document: [UInt8], by keys: [VerifyingKey]) -> Bool {
        all.contains { signature in keys.contains { $0.isValid(signature, of: document) } }
    }
}
