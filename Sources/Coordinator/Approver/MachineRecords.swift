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
            let record = Self.record(map), record.machine == machine
        else { return nil }
        return (record, map.metadata.resourceVersion ?? "")
    }

    func all() async throws(APIError) -> [MachineRecord] {
        let maps = try await client.list(ConfigMap.self, namespace: TendrilAPI.namespace, selector: Ownership.selector)
        return maps.items.compactMap(Self.record)
    }

    /// Removes what was kept and granted for all machines that are gone.
    ///
    /// - Parameters:
    ///   - cluster: the technical ID.
    ///   - mayBeGone: of which machines the Nodes are looked for.
    ///   - isGone: whether a machine is, by whether it has a Node.
    /// - Returns: the records of those that were gone.
    /// - Throws: `APIError`.
    func forget(
        of cluster: String,
        where mayBeGone: (MachineRecord) -> Bool,
        isGone: (MachineRecord, _ hasNode: Bool) -> Bool
    ) async throws(APIError) -> [MachineRecord] {
        var forgotten: [MachineRecord] = []
        for record in try await all() where mayBeGone(record) {
            let node = try await client.find(Node.self, record.machine)
            guard isGone(record, node != nil) else { continue }
            if try await forget(record, of: cluster) { forgotten.append(record) }
        }
        return forgotten
    }

    /// Removes what was kept and granted for a machine that is gone.
    ///
    /// - Parameters:
    ///   - record: as it was when it was judged; who has the name by now keeps it.
    ///   - cluster: the technical ID.
    /// - Returns: whether it was still the same.
    /// - Throws: `APIError`.
    private func forget(_ record: MachineRecord, of cluster: String) async throws(APIError) -> Bool {
        guard let (newest, version) = try await find(record.machine), newest == record else { return false }
        let identity = MachineIdentity(cluster: cluster, machine: record.machine, pool: record.pool)
        for grant in MachineGrants.all(identity).reversed() { try await grant.remove(client) }
        try await client.delete(NodeBootstrap.self, record.machine)
        // Last: what a stop leaves is found again by it.
        let name = Self.name(record.machine)
        return try await client.delete(ConfigMap.self, name, namespace: TendrilAPI.namespace, ifVersion: version)
    }

    private static func record(_ map: ConfigMap) -> MachineRecord? {
        guard let data = map.data, let machine = data["machine"], map.name == name(machine),
            let pool = data["pool"], let keyDigest = data["keyDigest"], let request = data["request"]
        else { return nil }
        // An expiry that cannot be read is one that lies ahead: the safe side.
        let expiry = data["expiry"].flatMap(KubernetesTime.seconds) ?? .max
        return MachineRecord(machine: machine, pool: pool, keyDigest: keyDigest, request: request, expiry: expiry)
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
            labels: TokenGrant.labels(pool: record.pool)
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
