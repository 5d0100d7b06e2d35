internal import ClusterModel
internal import KubernetesClient
internal import ShootPlan
internal import TendrilCore

/// Puts a snapshot in the place of what etcd has, while nothing of the control plane runs.
enum RestorationTask {
    static func make(_ work: ShootWork, _ restoration: Restoration, after: [String]) -> ShootTask {
        ShootTask(
            name: TaskName.restoration,
            title: "Putting the snapshot \(restoration.snapshot) in place",
            after: after,
            isWaiting: true,
            inputs: { _ in ["begun": .string("\(restoration.startTime)")] },
            perform: { _ in
                let (name, version) = (SnapshotJobs.name(of: restoration), work.facts.seedTraits.jobVersion)
                guard let path = ObjectPath.path(version, kind: "Job", namespace: work.namespace, name: name) else {
                    throw TaskFailure(.restore, "the Job \(name) has no path")
                }
                // What its pods are made from cannot be changed any more; another release may have begun it.
                if try await work.seed.findDocument(path) == nil { try await begin(work, restoration) }
                // Somewhat longer than it may take itself.
                try await Waiting.untilWell(.seconds(1500), every: .seconds(1), for: "the Job \(name)") {
                    try judge(try await work.seed.document(path), name, work)
                }
                return [:]
            }
        )
    }

    /// Makes the Job; what keeps it from being made does not keep the control plane from starting with the data of before.
    private static func begin(_ work: ShootWork, _ restoration: Restoration) async throws {
        do {
            guard let snapshots = try ShootSnapshots(work) else {
                throw TaskFailure(.configuration, "the seed makes no snapshots any more")
            }
            try await snapshots.share()
            let job = SnapshotJobs.restore(work.facts, snapshots.settings, restoration, keys: snapshots.folder)
            try await work.applyInSeed([job])
        } catch let failure as TaskFailure {
            throw TaskFailure(.restore, failure.description)
        }
    }

    /// What a Job has yet to do; `nil` where it is done.
    ///
    /// - Throws: `TaskFailure` where it has failed for good (batch/v1 JobStatus).
    private static func judge(_ job: JSONValue, _ name: String, _ work: ShootWork) throws -> Waiting.NotYet? {
        let status = job["status"]
        let conditions = (status?["conditions"]?.items ?? []).filter { $0["status"] == "True" }
        if conditions.contains(where: { $0["type"] == "Complete" }) { return nil }
        if let failed = conditions.first(where: { $0["type"] == "Failed" }) {
            throw TaskFailure(
                .restore,
                "\(failed["message"]?.text ?? "the Job failed"); "
                    + "why: kubectl -n \(work.namespace) logs job/\(name) --all-containers, in the seed"
            )
        }
        let (active, failed) = (status?["active"]?.number ?? 0, status?["failed"]?.number ?? 0)
        return Waiting.NotYet("\(active) pods work, \(failed) have failed")
    }
}
