internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
package import ShootPlan
package import TendrilCore

/// Says of other seeds that nothing is heard of them, and of their shoots that nobody knows how they are.
///
/// Their own coordinators cannot; several others say the same.
package struct SeedWatch: Sendable {
    private static let period = Nanoseconds.seconds(30)

    private let environment: CoordinatorEnvironment
    private var garden: KubernetesClient { environment.garden }

    /// Takes what may write only where the report is this process's to make.
    package init(_ environment: CoordinatorEnvironment) { self.environment = environment }

    /// Until the task is cancelled.
    package func run() async {
        var pulse = SeedPulse()
        while !Task.isCancelled {
            do {
                try await look(&pulse, at: Clock.now())
            } catch {
                environment.logger.warning("cannot look at the other seeds", metadata: ["reason": "\(error)"])
            }
            try? await Task.sleep(Self.period)
        }
    }

    /// Looks once, and says what is to be said.
    package func look(_ pulse: inout SeedPulse, at now: MonotonicTime) async throws {
        let seeds = try await garden.list(Seed.self).items
        let silent = pulse.silent(seeds, at: now).subtracting([environment.configuration.seed])
        environment.counts.saw(seeds, silent: silent)
        guard environment.mayWrite() else {
            // They are another process's to count by now.
            _ = environment.counts.saw(orphans: [])
            return
        }
        if !silent.isEmpty { try await tell(silent, seeds) }
        let known = Set(seeds.map(\.name)).union([environment.configuration.seed])
        for shoot in environment.places.lost(among: known) { try await tellLost(shoot) }
        if let namespaces = environment.board.namespaces { try await findOrphans(among: namespaces) }
    }

    /// Finds control planes whose Shoot is gone: they run on, and so do their machines, and nobody looks after them.
    ///
    /// - Parameter namespaces: in which something of control planes is.
    /// - Throws: `APIError` where the garden does not answer.
    package func findOrphans(among namespaces: Set<String>) async throws {
        let ids = namespaces.compactMap { TechnicalID(namespace: $0) }
        guard let strange = environment.places.strangers(among: Set(ids.map(\.key))) else { return }
        var orphans: Set<String> = []
        // Another seed's name may have been written there since.
        for id in ids where strange.contains(id.key) {
            if try await garden.find(Shoot.self, id.name, namespace: id.project) == nil { orphans.insert("\(id)") }
        }
        guard environment.counts.saw(orphans: orphans), !orphans.isEmpty else { return }
        let names = orphans.sorted().joined(separator: ", ")
        environment.logger.warning("control planes without a Shoot", metadata: ["namespaces": "\(names)"])
    }

    /// Says of a shoot that the seed that it names is none; nobody else would.
    private func tellLost(_ key: String) async throws {
        let parts = key.split(separator: "/").map(String.init)
        guard parts.count == 2,
            let shoot = try await garden.find(Shoot.self, parts[1], namespace: parts[0]),
            let seed = shoot.spec.seedName
        else { return }
        let text = "spec.seedName: there is no seed \(seed)"
        guard shoot.status?.lastErrors?.first?.description != text else { return }
        await ShootEvents(garden: garden).tell(shoot, "\(shoot.intent.rawValue)Failed", text, isWarning: true)
        await StatusWriter.tellFailure(
            text,
            .configuration,
            isFinal: true,
            of: shoot,
            garden: garden,
            logger: environment.logger
        )
    }

    private func tell(_ silent: Set<String>, _ seeds: [Seed]) async throws {
        let now = Clock.unixTime()
        for seed in seeds where silent.contains(seed.name) {
            let condition = Condition(
                Seed.ready,
                status: "Unknown",
                reason: "Silent",
                message:
                    "no coordinator has said for \(SeedPulse.patience.seconds) s that it takes care of it"
            )
            let known = seed.status?.conditions ?? []
            guard var merged = Condition.merged([condition], into: known, at: now) else { continue }
            // What it wrote last stays, for by that it is seen when it writes again.
            merged[0].lastHeartbeatTime = known[Seed.ready]?.lastHeartbeatTime
            environment.logger.warning("a seed is silent", metadata: ["seed": "\(seed.name)"])
            let conditions = try CanonicalJSON.value(merged)
            try await garden.patch(Seed.self, seed.name, subresource: "status", ["status": ["conditions": conditions]])
        }
        let shoots = try await garden.list(Shoot.self) { error in
            environment.logger.warning("cannot read a shoot", metadata: ["reason": "\(error)"])
        }
        for shoot in shoots.items {
            // Of one that is paused its own coordinator would not say again how it is.
            guard let seed = shoot.spec.seedName, silent.contains(seed), !shoot.isPaused else { continue }
            let unknown = ShootCondition.unknown(seed: seed)
            guard let merged = Condition.merged(unknown, into: shoot.status?.conditions ?? [], at: now) else {
                continue
            }
            try await garden.patchStatus(of: shoot, ["conditions": try CanonicalJSON.value(merged)])
        }
    }
}
