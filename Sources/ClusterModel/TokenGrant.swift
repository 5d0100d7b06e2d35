/// What a token's Secret says of it.
package struct TokenGrant: Hashable, Sendable {
    package let id: String
    package let pool: String
    /// The one machine that it is for; `nil` for a token that a scaling group's machines share.
    package let machine: String?
    /// What the names of the pool's machines begin with.
    package let namePrefix: String
    /// Seconds since 1970; `nil` for one that does not end by itself.
    package let expiry: UInt64?
    /// Whether the machine may replace an identity that is lost or has run out, although its Node exists.
    package let allowsRejoin: Bool

    package init(
        id: String,
        pool: String,
        machine: String? = nil,
        namePrefix: String = "",
        expiry: UInt64? = nil,
        allowsRejoin: Bool = false
    ) {
        (self.id, self.pool, self.machine) = (id, pool, machine)
        (self.namePrefix, self.expiry, self.allowsRejoin) = (namePrefix, expiry, allowsRejoin)
    }

    package static let poolLabel = "tendril.dev/pool"
    /// The labels of what the coordinator makes for a pool.
    package static func labels(pool: String) -> [String: String] {
        [Ownership.label: Ownership.manager, poolLabel: pool]
    }
    package static let machineAnnotation = "tendril.dev/machine"
    package static let namePrefixAnnotation = "tendril.dev/name-prefix"
    package static let rejoinAnnotation = "tendril.dev/allow-rejoin"

    /// Reads a Secret; `nil` where it is no bootstrap token of one of our pools.
    package init?(_ secret: KubernetesSecret) {
        guard secret.type == "bootstrap.kubernetes.io/token", let id = secret.text("token-id"),
            secret.name == BootstrapToken.secretName(id: id),
            secret.text("usage-bootstrap-authentication") == "true",
            let pool = secret.metadata.labels?[Self.poolLabel], NodeName.isLabel(pool)
        else { return nil }
        let notes = secret.metadata.annotations ?? [:]
        // An expiry that cannot be read is one that has passed.
        let expiry = secret.text("expiration").map { KubernetesTime.seconds($0) ?? 0 }
        self.init(
            id: id,
            pool: pool,
            machine: notes[Self.machineAnnotation],
            namePrefix: notes[Self.namePrefixAnnotation] ?? "",
            expiry: expiry,
            allowsRejoin: notes[Self.rejoinAnnotation] == "true"
        )
    }
}
