internal import ClusterModel

/// The byte strings in which a token can stand in a file.
package enum TokenForms {
    /// Itself, and what base64 makes of it at each of the three places within a group of three bytes.
    package static func all(_ token: [UInt8]) -> [[UInt8]] {
        [token]
            + (0..<3).map { shift in
                let text = Array(([UInt8](repeating: 0, count: shift) + token).base64.utf8)
                // The first and last symbols also hold bits of the neighbours.
                let first = (shift * 8 + 5) / 6
                let last = (shift + token.count) * 8 / 6
                return Array(text[first..<last])
            }
    }
}
