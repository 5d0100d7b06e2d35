import TendrilCore

/// A release of Kubernetes from 1.20 on.
package struct KubernetesVersion: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let minor: Int
    package let patch: Int

    package init(minor: Int, patch: Int = 0) { (self.minor, self.patch) = (minor, patch) }

    /// Takes `1.20.2` or `v1.20.2`, with a suffix behind `-` or `+`.
    package init?(_ text: String) {
        let plain = (text.hasPrefix("v") ? text.dropFirst() : text[...]).prefix { $0 != "-" && $0 != "+" }
        let parts = plain.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "1", parts.allSatisfy({ (1...3).contains($0.utf8.count) }),
            parts.allSatisfy({ $0.utf8.allSatisfy(\.isDigit) }),
            let minor = Int(parts[1]), let patch = Int(parts[2]), minor >= 20
        else { return nil }
        (self.minor, self.patch) = (minor, patch)
    }

    package var description: String { "1.\(minor).\(patch)" }

    package static func < (left: KubernetesVersion, right: KubernetesVersion) -> Bool {
        (left.minor, left.patch) < (right.minor, right.patch)
    }
}

/// The hierarchy of control groups of a host.
package enum CgroupHierarchy: String, Codable, Sendable {
    case v1
    case v2
}
