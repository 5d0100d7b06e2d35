internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import TendrilCore

/// What was issued to which machine: one ConfigMap each, written before a certificate is, which only the coordinator
/// may write.
///
/// Making one is atomic in the API server, so of two claimants one loses, whoever asks whichever replica.
struct MachineRecords: Sendable {
    let client: KubernetesClient

    private static func name(_ machine: String) -> String { "tendril-machine-\(machine)" }

    func find(_ machine: String) async throws(APIError) -> (record: MachineRecord, version: String)? {
        guard let map = try await client.find(ConfigMap.self, Self.name(machine), namespace: TendrilAPI.namespace),
            let data = map.data, let pool = data["pool"], let keyDigest = data["keyDigest"],
            let request = data["request"]
        else { return nil }
        // An expiry that cannot be read is one that lies ahead: the safe side.
        let expiry = data["expiry"].flatMap(KubernetesTime.seconds) ?? .max
        let record = MachineRecord(machine: machine, pool: pool, keyDigest: keyDigest, request: request, expiry: expiry)
        return (record, map.metadata.resourceVersion ?? "")
    }

    /// Writes a record down.
    ///
    /// - Parameters:
    ///   - record: is new.
    ///   - version: of the record that it replaces; `nil` where there is none.
    /// - Throws: `APIError`, a conflict where somebody else was faster.
    func write(_ record: MachineRecord, replacing version: String?) async throws(APIError) {
        var metadata = ObjectMetadata(
            name: Self.name(record.machine),
            namespace: TendrilAPI.namespace,
            labels: ["app.kubernetes.io/managed-by": "tendril-coordinator", TokenGrant.poolLabel: record.pool]
        )
        metadata.resourceVersion = version
        let map = ConfigMap(
            metadata,
            data: [
                "machine": record.machine, "pool": record.pool, "keyDigest": record.keyDigest,
                "request": record.request, "expiry": KubernetesTime.text(seconds: record.expiry),
            ]
        )
        if version == nil { try await client.create(map) } else { try await client.replace(map) }
    }
}
