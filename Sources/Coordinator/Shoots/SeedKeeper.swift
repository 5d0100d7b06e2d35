internal import ClusterModel
internal import FoundationEssentials
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import TendrilCore

/// Says in the garden, again and again, that the seed is there and how many shoots it has.
struct SeedKeeper: Sendable {
    /// How often, in seconds.
    static let period: UInt64 = 20

    private let environment: CoordinatorEnvironment
    private let name: String
    /// How many shoots there are.
    private let count: @Sendable () async -> Int

    /// Takes what may write only where the report is this process's to make.
    init(_ environment: CoordinatorEnvironment, count: @escaping @Sendable () async -> Int) {
        (self.environment, self.count) = (environment, count)
        name = environment.configuration.seed
    }

    /// Until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            do {
                try await report()
            } catch {
                environment.logger.warning("cannot report the seed", metadata: ["reason": "\(error)"])
            }
            try? await Task.sleep(nanoseconds: Self.period * 1_000_000_000)
        }
    }

    private func report() async throws {
        let seed = try await environment.garden.get(Seed.self, name)
        environment.ownSeed.withLock { $0 = seed }
        guard environment.mayWrite() else { return }
        let now = Clock.unixTime()
        var ready = Condition(
            Seed.ready,
            status: "True",
            reason: "CoordinatorWorks",
            message: "a coordinator takes care of it"
        )
        let before = seed.status?.conditions?.first { $0.type == ready.type }
        ready.lastTransitionTime =
            before?.status == ready.status ? before?.lastTransitionTime : KubernetesTime.text(seconds: now)
        ready.lastHeartbeatTime = KubernetesTime.text(seconds: now)
        try await environment.garden.patch(
            Seed.self,
            name,
            subresource: "status",
            [
                "status": [
                    "shoots": .integer(await count()), "conditions": [try CanonicalJSON.value(ready)],
                ]
            ]
        )
    }
}
