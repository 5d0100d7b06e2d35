package import ClusterModel

/// How often the regular pass over everything asks a cloud although nothing has changed: each time is a run of Terraform.
package enum CloudPace {
    /// In seconds.
    private static let day: UInt64 = 86400

    /// Whether it is time again: once a day, at the shoot's own moment of it.
    ///
    /// - Parameters:
    ///   - key: of the shoot.
    ///   - last: when the cloud was asked last, in seconds since 1970; `nil` where that is not known.
    ///   - now: in seconds since 1970.
    /// - Returns: whether it is.
    package static func isDue(_ key: String, last: UInt64?, at now: UInt64) -> Bool {
        guard let last else { return true }
        let moment = TextHash.value(key) % day
        func number(_ time: UInt64) -> UInt64 { (time &+ moment) / day }
        // Another day, be it an earlier one: a clock that was wrong keeps nobody from looking.
        return number(last) != number(now)
    }

    /// Whether a cloud may know of machines what the cluster does not show, so that it is asked out of turn.
    ///
    /// - Parameters:
    ///   - nodes: of the shoot.
    ///   - issued: the machines that a name is kept for, and that are not quite new.
    ///   - pools: as they are wanted.
    /// - Returns: whether a node is not ready, a pool is too small, or a name is kept for a machine that is no node.
    package static func isDoubtful(_ nodes: [Node], issued: [String], _ pools: [Shoot.Worker]) -> Bool {
        let names = Set(nodes.map(\.name))
        return nodes.contains { $0.pool != nil && !$0.isReady } || issued.contains { !names.contains($0) }
            || pools.contains { pool in nodes.count { $0.pool == pool.name } < pool.minimum }
    }
}
