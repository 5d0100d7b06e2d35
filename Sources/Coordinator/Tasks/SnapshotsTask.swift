internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import ShootPlan
internal import TendrilCore

/// What makes snapshots of a shoot's etcd, for as long as its seed wants them.
enum SnapshotsTask {
    /// What was made.
    struct Output: Codable, Sendable {
        /// Whether anything was.
        var isOn: Bool
        /// Since when snapshots are made without a pause, in seconds since 1970; `nil` while none are.
        var begun: UInt64?
    }

    /// Whether there is something to do: to make it, or to take it away.
    static func isNeeded(_ work: ShootWork, _ records: FlowRecords) -> Bool {
        guard let settings = work.facts.seed.snapshots else {
            let last = try? records.output(TaskName.snapshots, as: Output.self)
            return last?.isOn == true
        }
        // What is wrong with it stands in the Seed's condition; no shoot has failed because of that.
        return SnapshotRules.problems(settings).isEmpty
    }

    static func make(_ work: ShootWork, after: [String]) -> ShootTask {
        ShootTask(
            name: TaskName.snapshots,
            title: "Arranging snapshots",
            after: after,
            inputs: { .array(try objects(work, $0)) },
            perform: { records in
                let snapshots = try ShootSnapshots(work)
                // While it sleeps nobody needs it.
                if !work.facts.isHibernated { try await share(snapshots, work) }
                // It is written down that its work is done; one that has failed stays with its log.
                if let restoration = records.restoration, restoration.phase == .starting {
                    try await remove(SnapshotJobs.name(of: restoration), "Job", work.facts.seedTraits.jobVersion, work)
                }
                let objects = try objects(work, records)
                try await work.applyInSeed(objects)
                if snapshots == nil {
                    try await end(work)
                    try await work.seed.delete(KubernetesSecret.self, SnapshotJobs.secret, namespace: work.namespace)
                }
                let last = try? records.output(TaskName.snapshots, as: Output.self)
                let isMaking = snapshots != nil && !work.facts.isHibernated
                let begun = isMaking ? last?.begun ?? Clock.unixTime() : nil
                return try CanonicalJSON.value(Output(isOn: snapshots != nil, begun: begun))
            }
        )
    }

    /// Gives the pods the access key; one that is not there yet they wait for, and so does no shoot.
    private static func share(_ snapshots: ShootSnapshots?, _ work: ShootWork) async throws {
        do {
            try await snapshots?.share()
        } catch let failure as TaskFailure {
            work.logger.warning("no snapshots can be made", metadata: ["reason": "\(failure)"])
        }
    }

    /// Has no snapshot begin any more.
    static func end(_ work: ShootWork) async throws {
        try await remove(SnapshotJobs.maker, "CronJob", work.facts.seedTraits.cronJobVersion, work)
    }

    /// Removes what has pods, and these with it.
    private static func remove(_ name: String, _ kind: String, _ version: String, _ work: ShootWork) async throws {
        guard let path = ObjectPath.path(version, kind: kind, namespace: work.namespace, name: name) else { return }
        try await work.seed.deleteDocument("\(path)?propagationPolicy=Background")
    }

    private static func objects(_ work: ShootWork, _ records: FlowRecords) throws -> [JSONValue] {
        let policy = SnapshotJobs.policy(work.facts)
        guard let snapshots = try ShootSnapshots(work) else { return [policy] }
        let addresses = try work.addresses(records)
        return [
            policy, SnapshotJobs.cronJob(work.facts, snapshots.settings, addresses, keys: snapshots.folder),
        ]
    }
}
