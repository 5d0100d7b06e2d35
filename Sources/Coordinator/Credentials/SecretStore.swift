internal import ClusterModel
internal import FoundationEssentials
internal import KubernetesClient
internal import ShootPlan
internal import TLSEngine
internal import TendrilCore

/// The Secrets of one shoot in its namespace in the seed.
struct SecretStore: Sendable {
    let seed: KubernetesClient
    let namespace: String

    func read(_ name: String) async throws -> KubernetesSecret? {
        try await seed.find(KubernetesSecret.self, name, namespace: namespace)
    }

    /// The exchange of credentials by what is there and what the status says, where its record is lost; `nil` where there was none.
    func findRotation(told: ShootStatus.CredentialRotation?) async throws -> Rotation? {
        func generations(_ authority: Authority) async throws -> CredentialGenerations? {
            let known = try await read(authority.rawValue).map(CredentialSecret.read) ?? []
            return known.first.map {
                CredentialGenerations(used: $0.generation, other: known.dropFirst().first?.generation)
            }
        }
        guard let own = try await generations(.client), let served = try await generations(.cluster) else { return nil }
        return Rotation(finding: own, served, told: told)
    }

    /// Makes a Secret, or replaces the one that was read; what changed meanwhile is a conflict.
    func write(
        _ name: String,
        _ data: [String: [UInt8]],
        annotations: [String: String],
        over present: KubernetesSecret?
    ) async throws {
        var secret = object(name, data, annotations)
        guard let present else {
            try await seed.create(secret)
            return
        }
        secret.metadata.resourceVersion = present.metadata.resourceVersion
        try await seed.replace(secret)
    }

    /// Makes a Secret, or replaces what it holds.
    @discardableResult
    func write(
        _ name: String,
        _ data: [String: [UInt8]],
        annotations: [String: String]? = nil
    ) async throws -> KubernetesSecret {
        let secret = object(name, data, annotations)
        if let present = try await read(name) {
            let isSame = present.data == secret.data && present.metadata.annotations == annotations
            return isSame ? present : try await seed.replace(secret)
        }
        return try await seed.create(secret)
    }

    private func object(_ name: String, _ data: [String: [UInt8]], _ annotations: [String: String]?)
        -> KubernetesSecret
    {
        let metadata = ObjectMetadata(
            name: name,
            namespace: namespace,
            labels: Ownership.labels,
            annotations: annotations
        )
        return KubernetesSecret(metadata, type: "Opaque", data: data)
    }

    /// A digest of what a Secret holds.
    static func digest(_ secret: KubernetesSecret) -> String {
        Digest.hex(CredentialText.digestible((secret.data ?? [:]).mapValues { Array($0) }))
    }
}
