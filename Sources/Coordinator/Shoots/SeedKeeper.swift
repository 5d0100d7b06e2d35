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

    let garden: KubernetesClient
    let name: String
    let logger: Logger
    /// Where what was heard of the seed is kept.
    let kept: Guarded<Seed?>
    /// How many shoots there are.
    let count: @Sendable () async -> Int

    /// Until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            do {
                try await report()
            } catch {
                logger.warning("cannot report the seed", metadata: ["reason": "\(error)"])
            }
            try? await Task.sleep(nanoseconds: Self.period * 1_000_000_000)
        }
    }

    private func report() async throws {
        let seed = try await garden.get(Seed.self, name)
        kept.withLock { $0 = seed }
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
        try await garden.patch(
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
