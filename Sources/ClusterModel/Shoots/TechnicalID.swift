internal import TendrilCore

/// The name of a shoot's namespace in its seed, and of its cluster in certificates: `shoot--<project>--<name>`.
///
/// Neither part holds two hyphens in a row, nor begins or ends with one: no two shoots have the same.
package struct TechnicalID: Hashable, Sendable, CustomStringConvertible {
    /// How long project and name may be together, in bytes: with a pool's name and a number of a machine it fits a label.
    package static let maximumBytes = 31

    package let project: String
    package let name: String

    package var description: String { "shoot--\(project)--\(name)" }
    /// What the Shoot is called, as `Shoot.key`.
    package var key: String { "\(project)/\(name)" }

    /// Makes the name; `nil` where one of the parts does not fit.
    package init?(project: String, name: String) {
        guard Self.isPart(project), Self.isPart(name), project.utf8.count + name.utf8.count <= Self.maximumBytes
        else { return nil }
        (self.project, self.name) = (project, name)
    }

    /// Whose a namespace in a seed is; `nil` for one that is no shoot's.
    package init?(namespace: String) {
        let parts = namespace.split(separator: "--", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3, parts[0] == "shoot" else { return nil }
        self.init(project: parts[1], name: parts[2])
    }

    /// Whether a project or a name can be a part: a DNS label in lower case without two hyphens in a row.
    package static func isPart(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard let first = bytes.first, let last = bytes.last, first != 0x2D, last != 0x2D else { return false }
        let isPlain = bytes.allSatisfy { $0.isLowercase || $0.isDigit || $0 == 0x2D }
        return isPlain && !zip(bytes, bytes.dropFirst()).contains { $0 == 0x2D && $1 == 0x2D }
    }
}
