internal import ClusterModel
internal import FoundationEssentials
internal import KubernetesClient
internal import TLSEngine
internal import TendrilCore

/// The Secrets of one shoot in its namespace in the seed.
struct SecretStore: Sendable {
    let seed: KubernetesClient
    let namespace: String

    func read(_ name: String) async throws -> KubernetesSecret? {
        try await seed.find(KubernetesSecret.self, name, namespace: namespace)
    }

    /// The Secret as it is; made where there is none, and never changed.
    func keep(_ name: String, make: () throws -> [String: [UInt8]]) async throws -> KubernetesSecret {
        if let present = try await read(name) { return present }
        let new = object(name, try make(), nil)
        do {
            return try await seed.create(new)
        } catch {
            guard error.isConflict else { throw error }
            return try await seed.get(KubernetesSecret.self, name, namespace: namespace)
        }
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
            labels: ["app.kubernetes.io/managed-by": "tendril-coordinator"],
            annotations: annotations
        )
        return KubernetesSecret(metadata, type: "Opaque", data: data)
    }

    /// A digest of what a Secret holds.
    static func digest(_ secret: KubernetesSecret) -> String {
        let parts = (secret.data ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\(Digest.hex($0.value))" }
        return Digest.hex(Array(parts.joined(separator: ",").utf8))
    }
}
