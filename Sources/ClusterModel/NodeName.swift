internal import TendrilCore

/// What a node may be called.
package enum NodeName {
    /// Whether a text is a DNS subdomain (RFC 1123) in lower case of at most 253 bytes, as Kubernetes wants it.
    package static func isValid(_ text: String) -> Bool {
        (1...253).contains(text.utf8.count)
            && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { isLabel(String($0)) }
    }

    /// Whether a text is one label of it: at most 63 bytes of letters, digits and inner hyphens.
    package static func isLabel(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard (1...63).contains(bytes.count), bytes.first != 0x2D, bytes.last != 0x2D else { return false }
        return bytes.allSatisfy { $0.isLowercase || $0.isDigit || $0 == 0x2D }
    }
}
