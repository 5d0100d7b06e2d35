internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import ShootPlan
internal import TendrilCore

/// Puts a snapshot in the place of what etcd has, while nothing of the control plane runs.
enum RestorationTask {
    /// The tasks: one makes the Job, and the other waits for its end.
    ///
    /// By what is written down of the first whoever comes later knows that there was a Job: where somebody has removed it meanwhile,
    /// no other one is made.
    ///
    /// - Parameters:
    ///   - work: of the shoot.
    ///   - restoration: which snapshot.
    ///   - after: the names of the tasks that have stopped everything.
    ///   - grace: how long an API server may go on that was told to end: its Deployment does not count it any more.
    /// - Returns: them.
    static func make(
        _ work: ShootWork,
        _ restoration: Restoration,
        after: [String],
        grace: Nanoseconds
    ) -> [ShootTask] {
        let inputs: JSONValue = ["begun": .string("\(restoration.startTime)")]
        return [
            ShootTask(
                name: TaskName.restorationJob,
                title: "Beginning to restore the snapshot \(restoration.snapshot)",
                after: after,
                isWaiting: true,
                inputs: { _ in inputs },
                perform: { _ in
                    try await begin(work, restoration, grace)
                    return [:]
                }
            ),
            ShootTask(
                name: TaskName.restoration,
                title: "Putting the snapshot \(restoration.snapshot) in place",
                after: [TaskName.restorationJob],
                isWaiting: true,
                inputs: { _ in inputs },
                perform: { _ in
                    try await wait(work, restoration)
                    return [:]
                }
            ),
        ]
    }

    /// Waits for the end of the Job.
    private static func wait(_ work: ShootWork, _ restoration: Restoration) async throws {
        let name = SnapshotJobs.name(of: restoration)
        let path = try Self.path(work, restoration)
        do {
            // Somewhat longer than it may take itself.
            try await Waiting.untilWell(.seconds(1500), every: .seconds(1), for: "the Job \(name)") {
                guard let job = try await work.seed.findDocument(path) else {
                    throw TaskFailure(.restore, "the Job \(name) was removed")
                }
                return try judge(job, name, work)
            }
        } catch let failure as TaskFailure where failure.code == .restore {
            // Before 1.31 a Job has failed while its pod has yet to end, which takes a second.
            try await Task.sleep(lastBreath)
            throw failure
        }
    }

    /// A task that stops something before: what the seed refuses for good ends the restoration, as long as there is no Job.
    ///
    /// - Parameters:
    ///   - task: which one.
    ///   - work: of the shoot.
    ///   - restoration: for which it stops.
    /// - Returns: the task, by the same name.
    static func preparing(_ task: ShootTask, _ work: ShootWork, _ restoration: Restoration) -> ShootTask {
        ShootTask(
            name: task.name,
            title: task.title,
            after: task.after,
            isWaiting: task.isWaiting,
            inputs: task.inputs,
            perform: { records in
                do {
                    return try await task.perform(records)
                } catch let error as APIError where isFinal(error) {
                    guard try await work.seed.findDocument(try Self.path(work, restoration)) == nil else { throw error }
                    throw TaskFailure(.restore, error.description)
                }
            }
        )
    }

    /// Where the Job is in the seed.
    private static func path(_ work: ShootWork, _ restoration: Restoration) throws -> String {
        let (name, version) = (SnapshotJobs.name(of: restoration), work.facts.seedTraits.jobVersion)
        guard let path = ObjectPath.path(version, kind: "Job", namespace: work.namespace, name: name) else {
            throw TaskFailure(.restore, "the Job \(name) has no path")
        }
        return path
    }

    /// How long a pod that was told to end may go on, until its kubelet has ended it.
    private static let lastBreath = Nanoseconds.seconds(5)

    /// The Job as the Seed is now.
    private static func job(
        _ work: ShootWork,
        _ restoration: Restoration,
        _ snapshots: ShootSnapshots?
    ) throws -> JSONValue {
        if restoration.isBack { return SnapshotJobs.goBack(work.facts, restoration) }
        guard let snapshots else { throw TaskFailure(.configuration, "the seed makes no snapshots any more") }
        return SnapshotJobs.restore(work.facts, snapshots.settings, restoration, keys: snapshots.folder)
    }

    /// Finds out whether the Job could be made, before anything is stopped for it.
    static func rehearse(_ work: ShootWork, _ restoration: Restoration) async throws {
        let snapshots = try restoration.isBack ? nil : ShootSnapshots(work)
        try await work.seed.dryApply(try job(work, restoration, snapshots), manager: Ownership.manager)
    }

    /// Makes the Job, if there is none; what keeps it from being made does not keep the control plane from starting with the data of
    /// before.
    private static func begin(_ work: ShootWork, _ restoration: Restoration, _ grace: Nanoseconds) async throws {
        do {
            // What its pods are made from cannot be changed any more; another release may have begun it.
            guard try await work.seed.findDocument(try path(work, restoration)) == nil else { return }
            try await Task.sleep(grace)
            let snapshots = try restoration.isBack ? nil : ShootSnapshots(work)
            try await snapshots?.share()
            try await work.applyInSeed([try job(work, restoration, snapshots)])
        } catch let failure as TaskFailure {
            throw TaskFailure(.restore, failure.description)
        } catch let refusal as APIError where isFinal(refusal) {
            throw TaskFailure(.restore, refusal.description)
        }
    }

    /// Whether the seed refuses what is asked of it, and will do so again: a right, a policy, a quota.
    ///
    /// Whom it does not know, it does not know for other shoots either, and what collides is asked again.
    private static func isFinal(_ error: APIError) -> Bool {
        guard let code = error.code else { return false }
        return !error.isRetryable && ![401, 409].contains(code)
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
