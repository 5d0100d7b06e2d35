internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import NodePlan
internal import TendrilCore

/// Keeps a node as it is wanted, until its task is cancelled.
package final class Supervisor: Sendable {
    struct State: Sendable {
        /// What says what is wanted; `nil` where that is gone.
        var pointer: ConfigMap?
        /// Whether the pointer was not followed to a proven configuration yet.
        var isUnread = false
        /// What the pool's pointer led to last.
        var wanted: SignedConfiguration?
        var failure: AgentFailure?
        /// Whether the node was brought to what is wanted since the agent's start, or that has failed.
        var isJudged = false
        /// Units that are not as they are wanted; `nil` before the first look.
        var failingUnits: [String]?
        /// The conditions that the Node is known to have, by type.
        var told: [String: Condition] = [:]
        /// Decides when a kubelet whose Node is gone is restarted: with the third look in a row.
        var absence = Remediation(patience: .seconds(120), limit: 1)
        /// Whether the Node was gone for so long.
        var isLost = false
        /// The Secrets that files of the generation in force are followed from.
        var secretNames: Set<String> = []
        /// When what failed is tried again; `nil` while nothing has failed.
        var retryAt: MonotonicTime?
        /// Whether a generation on its way is being judged, from the start of its kubelet on where that has to start anew.
        var isJudging = false
        /// Decides when a kubelet that is unhealthy is restarted.
        var kubelet = Remediation()
        /// Decides when a container runtime that is unhealthy is restarted.
        var runtime = Remediation()
    }

    let context: AgentContext
    let access: ClusterAccess
    let generations: Generations
    let report: NodeReport
    /// Remembers between attempts since when others hold what this machine waits for.
    let budget: RestartBudget
    let state = Guarded(State())
    let progress: Progress
    let reporter: BootstrapReporter
    private let wakes: AsyncStream<Void>
    let wake: AsyncStream<Void>.Continuation

    package init(_ context: AgentContext, _ access: ClusterAccess, _ bootstrap: Bootstrap) {
        (self.context, self.access) = (context, access)
        generations = Generations(context, access)
        report = NodeReport(
            client: access.client,
            machine: context.identity.machine,
            machineClass: context.configuration.machineClass,
            logger: context.logger
        )
        budget = RestartBudget(client: access.client, machine: context.identity.machine, logger: context.logger)
        (progress, reporter) = (bootstrap.state, bootstrap.reporter)
        (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Keeps it so until the task is cancelled.
    package func run() async {
        context.logger.info("the node is kept as it is wanted")
        await withDiscardingTaskGroup { group in
            group.addTask { await self.tellProgress() }
            group.addTask { await self.followPool() }
            group.addTask { await self.followSecrets() }
            group.addTask { await self.reconcileForever() }
            group.addTask { await self.retryWhenDue() }
            group.addTask { await self.heartbeat() }
            group.addTask { await self.every(.seconds(60)) { await self.lookAtNode() } }
            group.addTask { await self.every(.seconds(60)) { await self.renewCertificate() } }
            group.addTask { await self.every(.seconds(60)) { self.renewTunnelCertificate() } }
            group.addTask { await KubeletEndpoint(self).follow() }
            group.addTask { await self.watchServices() }
            group.addTask { await self.every(.seconds(600)) { self.wake.yield() } }
            // What only joining needed of the program does not stay in memory.
            group.addTask { await self.every(.seconds(45)) { ResidentMemory.releaseProgramText() } }
        }
    }

    private func reconcileForever() async {
        var backoff = Backoff(start: .seconds(2), limit: .seconds(60))
        let images = ImageFiles(context)
        wake.yield()
        for await _ in wakes {
            do throws(AgentFailure) {
                try await reconcile()
                backoff.reset()
                state.withLock { $0.retryAt = nil }
                await clearFailure()
                // Between passes nothing is pulled, and after this one containerd runs.
                try? await Blocking.run("tidy") { images.removeLeft() }
            } catch {
                await note(error)
                // Others give the budget back any moment.
                let pause = error.cause == .waiting ? Nanoseconds.seconds(5) : backoff.wait()
                state.withLock { $0.retryAt = Clock.now() + pause }
            }
        }
    }

    /// Wakes the reconciling when a failure is to be tried again, or its fault is seen to be over.
    private func retryWhenDue() async {
        while !Task.isCancelled {
            try? await Task.sleep(.seconds(1))
            let (due, failure) = state.withLock { ($0.retryAt, $0.failure) }
            guard let due else { continue }
            let now = Clock.now()
            if now < due {
                await FaultWatch(context).pause(failure?.probe ?? .none, atMost: due.since(now))
            }
            state.withLock { $0.retryAt = nil }
            wake.yield()
        }
    }

    private func every(_ period: Nanoseconds, _ body: @escaping @Sendable () async -> Void) async {
        while !Task.isCancelled {
            await body()
            try? await Task.sleep(period)
        }
    }
}
