package import ClusterModel

/// How much of a flow is done.
package enum FlowExtent: Hashable, Sendable {
    /// What people come with.
    case access
    /// What has changed.
    case changes
    /// All of it, whatever is remembered.
    case thorough
}

/// What a pass over a shoot finds: from that follows what it does.
package struct Occasion: Sendable {
    /// What is wanted.
    package var generation: Int?
    /// The generation that this process has done last; `nil` where it has done none.
    package var settled: Int?
    /// Whether an earlier process is known to have done all that is wanted.
    package var isKnown = false
    /// Whether the shoot is to sleep.
    package var isHibernated = false
    /// Whether what the operator changes has to wait.
    package var isQuiet = false
    /// Whether it is long ago that everything was done.
    package var isOverdue = false
    /// Whether something of ours is not as it was made.
    package var needsRepair = false
    /// What a flow was to do that began and did not come to its end.
    package var unfinished: FlowExtent?

    /// Nothing is wanted, and nothing was done.
    package init() {}

    /// Whether everything is to be done again.
    private var isDue: Bool { needsRepair || isOverdue && !isQuiet }

    /// Whether what is wanted was done; for one that starts anew and may have other images what it would change waits.
    private var isSettled: Bool { settled == generation || isQuiet && settled == nil && isKnown }

    /// Whether nothing is to be done, as far as that is seen without what is remembered of the shoot.
    package var isCalm: Bool { isSettled && !isDue && unfinished == nil }

    /// What has to be renewed; what sleeps needs nothing, for the flow that wakes it up makes all of it.
    ///
    /// - Parameters:
    ///   - renewals: when that is.
    ///   - now: in seconds since 1970.
    /// - Returns: what it takes; `nil` for nothing.
    package func renewal(_ renewals: Renewals, at now: UInt64) -> Renewals.Extent? {
        isHibernated ? nil : renewals.due(at: now, isQuiet: isQuiet)
    }

    /// What is to be done.
    ///
    /// - Parameters:
    ///   - operation: what somebody asks for.
    ///   - records: what was done.
    ///   - renewal: what has to be renewed.
    /// - Returns: how much of a flow; `nil` where a look is enough.
    package func extent(
        _ operation: ShootOperation?,
        _ records: FlowRecords,
        _ renewal: Renewals.Extent?
    ) -> FlowExtent? {
        if isDue || unfinished == .thorough || operation == .reconcile { return .thorough }
        let isRotating = !isHibernated && records.rotation?.isInForce == false
        // One that was put to sleep meanwhile starts when it wakes up.
        let isStarting = !isHibernated && records.restoration?.phase == .starting
        let isRestoring = isStarting || records.restoration?.phase == .replacing
        let isDemanded = !isSettled || unfinished == .changes || operation != nil || isRotating || isRestoring
        if isDemanded || renewal == .all { return .changes }
        return renewal == .access || unfinished == .access ? .access : nil
    }
}
