internal import ClusterModel
internal import FoundationEssentials
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import ShootPlan
internal import TendrilCore

/// Says in the garden, again and again, that the seed is there and how many shoots it has.
struct SeedKeeper: Sendable {
    /// How often.
    private static let period = Nanoseconds.seconds(20)

    private let environment: CoordinatorEnvironment
    private let name: String

    /// Takes what may write only where the report is this process's to make.
    init(_ environment: CoordinatorEnvironment) {
        self.environment = environment
        name = environment.configuration.seed
    }

    /// Until the task is cancelled; whoever becomes the one to report does so at once.
    func run() async {
        var wasKeeper = false
        var due = Clock.now()
        while !Task.isCancelled {
            let isKeeper = environment.mayWrite()
            if isKeeper && !wasKeeper || Clock.now() >= due {
                due = Clock.now() + Self.period
                do {
                    try await report()
                } catch {
                    environment.logger.warning("cannot report the seed", metadata: ["reason": "\(error)"])
                }
            }
            wasKeeper = isKeeper
            try? await Task.sleep(.seconds(1))
        }
    }

    private func report() async throws {
        let seed = try await environment.garden.get(Seed.self, name)
        environment.ownSeed.withLock { $0 = seed }
        guard environment.mayWrite() else { return }
        let now = Clock.unixTime()
        let problems = SeedRules.problems(seed)
        let isWell = problems.isEmpty
        var ready = Condition(
            Seed.ready,
            status: isWell ? "True" : "False",
            reason: isWell ? "CoordinatorWorks" : "ConfigurationProblem",
            message: isWell ? "a coordinator takes care of it" : problems.line
        )
        let before = seed.status?.conditions?[ready.type]
        ready.lastTransitionTime =
            before?.status == ready.status ? before?.lastTransitionTime : KubernetesTime.text(seconds: now)
        ready.lastHeartbeatTime = KubernetesTime.text(seconds: now)
        try await environment.garden.patch(
            Seed.self,
            name,
            subresource: "status",
            [
                "status": [
                    "shoots": .integer(environment.places.hosted), "conditions": [try CanonicalJSON.value(ready)],
                ]
            ]
        )
    }
}
