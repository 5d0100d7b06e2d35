internal import ClusterModel
internal import FoundationEssentials
internal import KubernetesClient
internal import ShootPlan
internal import TendrilCore

/// Keeps what was done for a shoot in its namespace in the seed.
struct FlowStore: Sendable {
    private static let recordsKey = "records.json"
    private static let specKey = "spec.json"

    let seed: KubernetesClient
    let namespace: String

    private var notebook: Notebook { Notebook(seed: seed, namespace: namespace, name: "tendril-flow") }

    /// What was done for a shoot, and for which wishes; nothing where it is new, and what its status says where that is lost.
    func load(of shoot: Shoot) async throws -> (records: FlowRecords, spec: Shoot.Spec?) {
        let page = try await notebook.read()
        return (
            try page.entry(Self.recordsKey, as: FlowRecords.self) ?? LostRecords.records(of: shoot),
            try page.entry(Self.specKey, as: Shoot.Spec.self) ?? LostRecords.spec(of: shoot)
        )
    }

    /// What is written down of what was done; nothing where nothing is.
    func records() async throws -> FlowRecords {
        try await notebook.read().entry(Self.recordsKey, as: FlowRecords.self) ?? FlowRecords()
    }

    /// Writes down what was done.
    func save(_ records: FlowRecords, spec: Shoot.Spec) async throws {
        try await notebook.write([
            Self.recordsKey: try CanonicalJSON.value(records), Self.specKey: try CanonicalJSON.value(spec),
        ])
    }
}
