internal import ClusterModel
internal import FoundationEssentials
internal import KubernetesClient
internal import TendrilCore

/// A ConfigMap of a shoot's namespace in the seed, in which something is remembered.
struct Notebook: Sendable {
    /// What stands in it, by its keys.
    struct Page {
        let data: [String: String]

        /// What stands under a key; `nil` for nothing.
        func entry<Value: Decodable>(_ key: String, as type: Value.Type) throws -> Value? {
            try data[key].map { try JSONDecoder().decode(type, from: Data($0.utf8)) }
        }
    }

    let seed: KubernetesClient
    let namespace: String
    let name: String

    func read() async throws -> Page {
        Page(data: try await seed.find(ConfigMap.self, name, namespace: namespace)?.data ?? [:])
    }

    func write(_ entries: [String: JSONValue]) async throws {
        let data = try entries.mapValues { JSONValue.string(try CanonicalJSON.text($0)) }
        try await seed.serverSideApply(
            [
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": [
                    "name": .string(name), "namespace": .string(namespace),
                    "labels": Ownership.renderedLabels,
                ],
                "data": .object(data),
            ],
            manager: Ownership.manager
        )
    }
}
