/// Everything that was ever touched and is not put back yet, written before it is touched.
package struct Manifest: Codable, Hashable, Sendable {
    /// What was at a path before the first touch.
    package enum Original: Codable, Hashable, Sendable {
        case absent
        /// It is kept under this name, and had these permission bits.
        case kept(name: String, mode: UInt32)
    }
    /// A unit's state before the first touch.
    package struct UnitOriginal: Codable, Hashable, Sendable {
        package var wasEnabled: Bool
        package var wasActive: Bool
    }

    package var files: [String: Original]
    package var units: [String: UnitOriginal]
    /// Units whose restart is owed: something of theirs was changed, or was about to be.
    package var owedRestarts: Set<String>
    /// Units that have run to their end, of those that do not show it; `nil` where there are none.
    package var finished: Set<String>?
    /// Whether units were changed, or were about to be, that systemd did not read yet; `nil` where none were.
    package var owesReload: Bool?
    /// Units that were about to be enabled, of those that do not show it; `nil` where there are none.
    package var owedEnables: Set<String>?

    package init() { (files, units, owedRestarts) = ([:], [:], []) }
}
