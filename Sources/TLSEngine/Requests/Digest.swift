internal import COpenSSL
package import TendrilCore

/// Hashes and message authentication codes.
package enum Digest {
    /// SHA-256 (FIPS 180-4): 32 bytes.
    package static func sha256(_ bytes: some Collection<UInt8>) -> [UInt8] {
        let input = Array(bytes)
        var output = [UInt8](repeating: 0, count: 32)
        SHA256(input, input.count, &output)
        return output
    }

    /// SHA-256 in lower-case hexadecimal digits.
    package static func hex(_ bytes: some Collection<UInt8>) -> String { Hex.text(sha256(bytes)) }

    /// HMAC with SHA-256 (RFC 2104): 32 bytes.
    package static func hmac(_ bytes: some Collection<UInt8>, key: Secret) -> [UInt8] {
        let input = Array(bytes)
        var output = [UInt8](repeating: 0, count: 32)
        key.withBytes { span in
            span.withUnsafeBytes { key in
                _ = HMAC(EVP_sha256(), key.baseAddress, CInt(clamping: key.count), input, input.count, &output, nil)
            }
        }
        return output
    }

    /// Whether two codes are equal, in a time that does not depend on where they differ.
    package static func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
    }

    /// Random bytes that nobody can foresee.
    package static func random(_ count: Int) throws(TLSError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        guard RAND_bytes(&bytes, CInt(clamping: count)) == 1 else { throw .drainingQueue(while: "make random bytes") }
        return bytes
    }
}

/// SHA-256 of what comes piece by piece.
package final class RunningDigest {
    private let context: OpaquePointer

    package init() throws(TLSError) {
        guard let context = EVP_MD_CTX_new() else { throw TLSError.drainingQueue(while: "hash") }
        self.context = context
        guard EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else { throw .drainingQueue(while: "hash") }
    }

    deinit { EVP_MD_CTX_free(context) }

    package func add(_ bytes: UnsafeRawBufferPointer) { EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) }

    /// The digest of all that was added, in lower-case hexadecimal digits; nothing can be added after that.
    package func hex() -> String {
        var output = [UInt8](repeating: 0, count: 32)
        EVP_DigestFinal_ex(context, &output, nil)
        return Hex.text(output)
    }
}
