package import TendrilCore

/// A bootstrap token (Kubernetes documentation, "Authenticating with Bootstrap Tokens"): `abcdef.0123456789abcdef`.
package struct BootstrapToken: Sendable {
    /// Six characters that may be shown.
    package let id: String
    /// All of it.
    package let secret: Secret
    /// The part behind the dot, with which `cluster-info` is signed.
    package let signingSecret: Secret

    /// Takes the text of a token; `nil` for anything else.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, Self.isPart(parts[0], length: 6), Self.isPart(parts[1], length: 16) else { return nil }
        id = String(parts[0])
        secret = Secret(Array(text.utf8))
        signingSecret = Secret(Array(parts[1].utf8))
    }

    /// The user that the API server takes its bearer for.
    package static let userPrefix = "system:bootstrap:"
    /// The group that our pools' tokens carry, besides Kubernetes' own `system:bootstrappers`.
    package static let group = "system:bootstrappers:tendril"

    /// The name of the Secret that holds the token with this id.
    package static func secretName(id: String) -> String { "bootstrap-token-\(id)" }

    private static func isPart(_ text: some StringProtocol, length: Int) -> Bool {
        text.utf8.count == length && text.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) }
    }
}

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
            secret.metadata.name == BootstrapToken.secretName(id: id),
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

/// What a node may be called.
package enum NodeName {
    /// Whether a text is a DNS subdomain (RFC 1123) in lower case of at most 253 bytes, as Kubernetes wants it.
    package static func isValid(_ text: String) -> Bool {
        (1...253).contains(text.utf8.count)
            && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { isLabel(String($0)) }
    }

    /// Whether a text is one label of it: at most 63 bytes of letters, digits and inner hyphens.
    package static func isLabel(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard (1...63).contains(bytes.count), bytes.first != 0x2D, bytes.last != 0x2D else { return false }
        return bytes.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
    }
}
