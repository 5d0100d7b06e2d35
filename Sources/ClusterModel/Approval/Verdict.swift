/// What becomes of a request.
package enum Verdict: Hashable, Sendable {
    /// A signer that is not judged here.
    case ignore
    /// Kubernetes' own signer may sign.
    case approve
    /// The coordinator signs: for this subject and these names, for so many seconds.
    case issue(MachineIdentity, Certificate)
    case deny(Denial)

    /// What the coordinator's own signers issue.
    package enum Certificate: Hashable, Sendable {
        case agent
        case tunnelClient
    }
}

/// Why a request is refused.
package struct Denial: Error, Hashable {
    /// A word for machines, in the form of condition reasons.
    package let reason: String
    /// A sentence for people.
    package let message: String
    /// Whether somebody should look: a second claimant of a name, or an attempt to become somebody else.
    package let isAlarm: Bool

    package init(reason: String, message: String, isAlarm: Bool) {
        (self.reason, self.message, self.isAlarm) = (reason, message, isAlarm)
    }
}
