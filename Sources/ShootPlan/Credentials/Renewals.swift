/// When what is good for a while only is to be made anew.
package struct Renewals: Hashable, Sendable {
    /// What a renewal takes.
    package enum Extent: Hashable, Sendable {
        /// People's certificate, and their kubeconfig: nothing of the cluster knows it.
        case access
        /// A whole flow: what has the certificates starts anew, and machines start with other tokens.
        case all
    }

    /// A token that machines start with is good for so many seconds, and made anew after half of them.
    package static let tokenLifetime: UInt64 = 7 * 86400

    /// For how many seconds a leaf of the control plane is good beyond the moment when it is to be made anew.
    private static let leafSlack = UInt64(Double(LeafPlan.days * 86400) * (1 - LeafPlan.renewalShare))

    /// When people's certificate is to be made anew, in seconds since 1970.
    package let people: UInt64
    private let leaves: UInt64
    private let tokens: UInt64

    /// Takes the moments in seconds since 1970; the largest number is none.
    ///
    /// - Parameters:
    ///   - people: of people's certificate.
    ///   - leaves: of the first leaf of the control plane.
    ///   - tokens: of the first token that machines start with.
    package init(people: UInt64, leaves: UInt64, tokens: UInt64) {
        (self.people, self.leaves, self.tokens) = (people, leaves, tokens)
    }

    /// What has to be renewed.
    ///
    /// What a whole flow is needed for waits for the maintenance window as long as it is good for more than a third of the time that
    /// it was to be renewed in.
    ///
    /// - Parameters:
    ///   - now: in seconds since 1970.
    ///   - isQuiet: whether what the operator changes has to wait.
    /// - Returns: what it takes; `nil` where nothing is due.
    package func due(at now: UInt64, isQuiet: Bool) -> Extent? {
        func isDue(_ moment: UInt64, _ slack: UInt64) -> Bool {
            now >= moment && (!isQuiet || now - moment >= slack / 3 * 2)
        }
        if isDue(leaves, Self.leafSlack) || isDue(tokens, Self.tokenLifetime / 2) { return .all }
        guard now >= people else { return nil }
        return isQuiet ? .access : .all
    }

    /// What changes of a task's inputs once something is due, and not before.
    ///
    /// - Parameters:
    ///   - moment: when it is, in seconds since 1970; `nil` where nothing was made yet.
    ///   - now: in seconds since 1970.
    /// - Returns: the moment once it has come, else 0.
    package static func mark(_ moment: UInt64?, at now: UInt64) -> Int {
        moment.map { $0 <= now ? Int(clamping: $0) : 0 } ?? 0
    }

    /// Whether anything came due between two moments: what was due before, a flow that has begun then renews by itself.
    ///
    /// - Parameters:
    ///   - begun: when the flow began, in seconds since 1970.
    ///   - now: in seconds since 1970.
    /// - Returns: whether it did.
    package func hasComeDue(since begun: UInt64, at now: UInt64) -> Bool {
        [people, leaves, tokens].contains { $0 > begun && $0 <= now }
    }
}
