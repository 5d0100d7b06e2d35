internal import ClusterModel
internal import NodePlan
internal import ShootPlan
internal import TendrilCore

/// What a shoot's status says besides the operation.
enum ShootFields {
    /// The fields after a flow of some tasks that was done.
    static func done(_ work: ShootWork, _ records: FlowRecords, by tasks: [ShootTask]) -> JSONValue {
        // A flow that leaves machines alone does not say how far the cluster is.
        guard tasks.contains(where: { $0.name == TaskName.machines }) else { return ["lastErrors": .null] }
        var fields: [String: JSONValue] = [
            "observedGeneration": .integer(work.shoot.metadata.generation ?? 0), "lastErrors": .null,
            "technicalID": .string(work.facts.id), "seedName": .string(work.configuration.seed),
            "isHibernated": .bool(work.facts.isHibernated),
        ]
        // What sleeps has not been brought to a release yet, and releases are not left out.
        if !work.facts.isHibernated || work.shoot.status?.kubernetesVersion == nil {
            fields["kubernetesVersion"] = .string(work.facts.version.description)
        }
        if let addresses = try? work.addresses(records) {
            fields["advertisedAddresses"] = [["name": "external", "url": .string(addresses.frontDoorURL)]]
        }
        if let infrastructure = records[TaskName.infrastructure] { fields["infrastructure"] = infrastructure }
        if let rotation = rotation(records) { fields["credentialRotation"] = rotation }
        if let restoration = restoration(records) { fields["restoration"] = restoration }
        return .object(fields)
    }

    /// How far the last restoration of its etcd is; `nil` where there was none.
    static func restoration(_ records: FlowRecords) -> JSONValue? {
        guard let told = records.restoration?.told else { return nil }
        // What is not said stays in a status; null takes it away.
        func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
        return [
            "snapshot": .string(told.snapshot), "phase": .string(told.phase.rawValue),
            "startTime": .string(told.startTime), "completionTime": text(told.completionTime),
            "message": text(told.message), "isStopped": told.isStopped.map(JSONValue.bool) ?? .null,
        ]
    }

    /// How far the exchange of credentials is; `nil` where there was none.
    static func rotation(_ records: FlowRecords) -> JSONValue? {
        guard let rotation = records.rotation, let phase = rotation.phase else { return nil }
        // What is not said stays in a status; null takes it away.
        func time(_ seconds: UInt64?) -> JSONValue {
            seconds.map { .string(KubernetesTime.text(seconds: $0)) } ?? .null
        }
        return [
            "phase": .string(phase.rawValue), "startTime": time(rotation.startTime),
            "completionTime": time(rotation.completionTime),
        ]
    }
}
