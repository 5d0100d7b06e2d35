internal import COpenSSL
internal import TendrilCore

/// The keys of the gate: the first signs, all are accepted.
package struct GateKeys: Sendable {
    /// The least number of bytes of a key.
    package static var minimumByteCount: Int { 32 }
    /// How many keys may be valid at once.
    package static var maximumCount: Int { 2 }

    private let keys: [Secret]

    /// Reads a key file: one key a line in base64, at least 256 bits each; lines that start with # are comments.
    package init(file: [UInt8]) throws(TLSError) {
        var keys: [Secret] = []
        for line in file.split(separator: 0x0A) {
            let text = line.filter { $0 > 0x20 }
            if text.isEmpty || text.first == UInt8(ascii: "#") { continue }
            guard let key = Self.decode(text), key.count >= Self.minimumByteCount else {
                throw TLSError("use the gate key", reasons: ["a line is not base64 of at least 32 bytes"])
            }
            guard key.contains(where: { $0 != key[0] }) else {
                throw TLSError("use the gate key", reasons: ["a key is one byte repeated"])
            }
            keys.append(Secret(key))
        }
        guard (1...Self.maximumCount).contains(keys.count) else {
            throw TLSError("use the gate key", reasons: ["the file holds \(keys.count) keys, not 1 or 2"])
        }
        self.keys = keys
    }

    /// The text of a fresh key file.
    package static func generateFile() throws(TLSError) -> [UInt8] {
        var key = [UInt8](repeating: 0, count: minimumByteCount)
        guard RAND_bytes(&key, CInt(key.count)) == 1 else { throw .drainingQueue(while: "make a gate key") }
        var text = [UInt8](repeating: 0, count: 4 * ((key.count + 2) / 3) + 1)
        let length = EVP_EncodeBlock(&text, key, CInt(key.count))
        return Array(text.prefix(Int(length))) + [0x0A]
    }

    /// The MAC of a message under the first key: HMAC-SHA-256.
    package func authenticate(_ message: [UInt8]) -> [UInt8] {
        keys.first.map { Self.mac(message, $0) } ?? []
    }

    /// Whether `mac` belongs to `message` under one of the keys; in constant time for each.
    package func verify(_ message: [UInt8], _ mac: [UInt8]) -> Bool {
        var isValid = false
        for key in keys {
            let expected = Self.mac(message, key)
            if expected.count == mac.count, CRYPTO_memcmp(expected, mac, mac.count) == 0 { isValid = true }
        }
        return isValid
    }

    private static func mac(_ message: [UInt8], _ key: Secret) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        let isDone = key.withBytes { bytes in
            bytes.withUnsafeBytes { pointer in
                HMAC(EVP_sha256(), pointer.baseAddress, CInt(pointer.count), message, message.count, &result, &length)
            } != nil
        }
        // A MAC that could not be computed must match nothing.
        return isDone && length == 32 ? result : []
    }

    private static func decode(_ text: [UInt8]) -> [UInt8]? {
        guard text.count % 4 == 0, text.count <= 4096 else { return nil }
        var bytes = [UInt8](repeating: 0, count: text.count / 4 * 3)
        let length = EVP_DecodeBlock(&bytes, text, CInt(text.count))
        let padding = text.suffix(2).count { $0 == UInt8(ascii: "=") }
        guard length >= padding else { return nil }
        return Array(bytes.prefix(Int(length) - padding))
    }
}
