internal import FoundationEssentials

/// Base64 in the usual alphabet, with padding (RFC 4648 section 4).
extension [UInt8] {
    /// The bytes that a text stands for; `nil` where it is no base64.
    package init?(base64 text: String) {
        guard let data = Data(base64Encoded: text) else { return nil }
        self = Array(data)
    }

    /// These bytes as text.
    package var base64: String { Data(self).base64EncodedString() }
}
