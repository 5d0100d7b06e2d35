/// What was issued for a machine, as the coordinator wrote it down before it issued.
package struct MachineRecord: Hashable, Sendable {
    package let machine: String
    package let pool: String
    /// SHA-256 of the agent's public key in hexadecimal digits.
    package let keyDigest: String
    /// The UID of the request that it was issued for.
    package let request: String
    /// The last second of validity of the agent's certificate since 1970.
    package let expiry: UInt64

    package init(machine: String, pool: String, keyDigest: String, request: String, expiry: UInt64) {
        (self.machine, self.pool, self.keyDigest) = (machine, pool, keyDigest)
        (self.request, self.expiry) = (request, expiry)
    }

    /// Whether nobody can hold its certificate any more, so that it is worth a look whether there is a Node.
    package func mayBeGone(at now: UInt64) -> Bool { expiry <= now }

    /// Whether the machine is gone, and its name free for another.
    ///
    /// A certificate that is still valid keeps the name: whoever has it would get the rights of the next of that name.
    package func isGone(at now: UInt64, hasNode: Bool) -> Bool { mayBeGone(at: now) && !hasNode }

    /// For so many seconds after its certificate was issued a machine may not be known to its provider yet.
    private static let settling: UInt64 = 600

    /// Whether it is worth a look whether there is a Node of a machine that its provider does not know.
    package func mayHaveEnded(at now: UInt64) -> Bool {
        expiry <= now + (ApprovalRules.agentLifetime - Self.settling)
    }

    /// Whether a machine that its provider does not know has ended, and its name is free for another.
    ///
    /// Its certificate may still be valid: whoever kept the key of a machine that has ended can pass for the next of that name.
    package func hasEnded(at now: UInt64, hasNode: Bool) -> Bool { mayHaveEnded(at: now) && !hasNode }
}
