internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import ShootPlan
internal import TendrilCore

/// The snapshots of one shoot in its seed's bucket, as its coordinator sees them.
struct ShootSnapshots: Sendable {
    /// So many are removed at a time, for others wait to be looked at.
    private static let batch = 100
    /// No other one is removed after so long, for the same reason.
    private static let patience = Nanoseconds.seconds(10)

    let settings: Seed.Snapshots
    /// What the keys of the shoot's snapshots begin with.
    let folder: String
    private let work: ShootWork

    /// Takes a shoot; `nil` where its seed makes no snapshots.
    ///
    /// - Throws: `TaskFailure` where the Seed, or the Shoot's UID, will not do.
    init?(_ work: ShootWork) throws {
        guard let settings = work.facts.seed.snapshots else { return nil }
        let problems = SnapshotRules.problems(settings)
        guard problems.isEmpty else {
            throw TaskFailure(.configuration, "Seed \(work.configuration.seed): \(problems.line)")
        }
        guard let folder = SnapshotPlan.folder(settings, id: work.facts.id, uid: work.shoot.metadata.uid) else {
            throw TaskFailure(.unknown, "the Shoot has no UID that can stand in a key")
        }
        (self.settings, self.folder, self.work) = (settings, folder, work)
    }

    /// The snapshots that are there, the newest first.
    func list() async throws -> [StoredSnapshot] {
        try await store(try await credentials()).list(folder).sorted { $0.time > $1.time }
    }

    /// Gives the shoot's pods the access key as it is now, and removes the snapshots that are too many.
    ///
    /// - Parameter wanted: the name of one that stays in any case.
    /// - Returns: those that stay, the newest first; what cannot be removed is tried again another time.
    /// - Throws: where seed or store do not answer as they should.
    func keep(sparing wanted: String?) async throws -> [StoredSnapshot] {
        let secret = try await credentials()
        try await share(secret)
        let store = try store(secret)
        let all = try await store.list(folder)
        let surplus = SnapshotPlan.surplus(all, keep: settings.keep, at: Clock.unixTime()).filter { $0.name != wanted }
        await remove(surplus, from: store)
        return Set(all).subtracting(surplus).sorted { $0.time > $1.time }
    }

    /// Removes some, in no order: one that cannot be removed keeps neither the others from their turn, nor anybody from hearing
    /// which there are.
    private func remove(_ surplus: [StoredSnapshot], from store: SnapshotStore) async {
        let deadline = Clock.now() + Self.patience
        do {
            for old in surplus.shuffled().prefix(Self.batch) where work.mayWrite() && Clock.now() < deadline {
                try await store.delete(old.key)
            }
        } catch {
            guard !Task.isCancelled else { return }
            work.logger.warning("cannot remove old snapshots", metadata: ["reason": "\(error)"])
        }
    }

    /// Gives the shoot's pods the access key as it is now.
    func share() async throws { try await share(try await credentials()) }

    private func share(_ secret: KubernetesSecret) async throws {
        var data: [String: [UInt8]] = [:]
        for file in SnapshotStore.File.allCases { data[file.rawValue] = secret[file.rawValue] }
        try await SecretStore(seed: work.seed, namespace: work.namespace).write(SnapshotJobs.secret, data)
    }

    private func credentials() async throws -> KubernetesSecret {
        let namespace = work.configuration.namespace ?? CoordinatorConfiguration.defaultNamespace
        let secret = try await work.seed.find(KubernetesSecret.self, settings.secretName, namespace: namespace)
        guard let secret else {
            throw unusable("there is no Secret \(namespace)/\(settings.secretName)")
        }
        return secret
    }

    private func store(_ secret: KubernetesSecret) throws -> SnapshotStore {
        do {
            return try SnapshotStore(
                endpoint: settings.endpoint,
                region: settings.region,
                bucket: settings.bucket,
                transport: work.transport
            ) { secret[$0.rawValue] }
        } catch {
            throw unusable("\(settings.secretName): \(error)")
        }
    }

    private func unusable(_ reason: String) -> TaskFailure {
        TaskFailure(.configuration, "Seed \(work.configuration.seed): spec.snapshots.secretName: \(reason)")
    }
}
