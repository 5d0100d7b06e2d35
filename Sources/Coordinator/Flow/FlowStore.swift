internal import ClusterModel
internal import FoundationEssentials
internal import KubernetesClient
internal import ShootPlan
internal import TendrilCore

/// Keeps what was done for a shoot in its namespace in the seed.
struct FlowStore: Sendable {
    private static let name = "tendril-flow"
    private static let recordsKey = "records.json"
    private static let specKey = "spec.json"

    let seed: KubernetesClient
    let namespace: String

    /// What was done, and for which wishes; nothing where the shoot is new.
    func load() async throws -> (records: FlowRecords, spec: Shoot.Spec?) {
        guard let map = try await seed.find(ConfigMap.self, Self.name, namespace: namespace) else {
            return (FlowRecords(), nil)
        }
        func decode<Value: Decodable>(_ key: String, as type: Value.Type) throws -> Value? {
            try map.data?[key].map { try JSONDecoder().decode(type, from: Data($0.utf8)) }
        }
        return (
            try decode(Self.recordsKey, as: FlowRecords.self) ?? FlowRecords(),
            try decode(Self.specKey, as: Shoot.Spec.self)
        )
    }

    /// Writes down what was done.
    func save(_ records: FlowRecords, spec: Shoot.Spec) async throws {
        let data: JSONValue = [
            Self.recordsKey: .string(String(decoding: try CanonicalJSON.bytes(records), as: UTF8.self)),
            Self.specKey: .string(String(decoding: try CanonicalJSON.bytes(spec), as: UTF8.self)),
        ]
        try await seed.serverSideApply(
            [
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": [
                    "name": .string(Self.name), "namespace": .string(namespace),
                    "labels": ["app.kubernetes.io/managed-by": "tendril-coordinator"],
                ],
                "data": data,
            ],
            manager: Manager.name
        )
    }
}

/// As whom the coordinator owns fields of objects.
enum Manager {
    static let name = "tendril-coordinator"
}
