package import ClusterModel
internal import TendrilCore

/// Says long before it happens that CAs end: people have to take part in their exchange.
package enum AuthorityLife {
    /// So many days before the first one ends it is said.
    package static let notice: UInt64 = 365

    /// What is said of a shoot's CAs.
    ///
    /// - Parameters:
    ///   - ends: when each of those that are used ends, in seconds since 1970, by its name.
    ///   - now: in seconds since 1970.
    /// - Returns: a condition; `nil` while none ends soon.
    package static func condition(_ ends: [String: UInt64], at now: UInt64) -> Condition? {
        let soon = ends.filter { $0.value <= now + notice * 86400 }
        guard let first = soon.values.min() else { return nil }
        let names = soon.keys.sorted().joined(separator: ", ")
        let verb = first <= now ? "ended" : "end"
        return Condition(
            ShootCondition.authoritiesExpire,
            status: "True",
            reason: first <= now ? "Expired" : "ExpireSoon",
            message:
                "the CAs \(names) \(verb) from \(KubernetesTime.text(seconds: first)) on: exchange all CAs and keys"
        )
    }
}
