internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import NodePlan
internal import TLSEngine
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
        wake.yield()
        for await _ in wakes {
            do throws(AgentFailure) {
                try await reconcile()
                backoff.reset()
                state.withLock { $0.retryAt = nil }
                await clearFailure()
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

    /// Brings the node to what is wanted, as far as that goes now.
    ///
    /// - Throws: `AgentFailure`, also where it waits; it is to be tried again.
    package func reconcile() async throws(AgentFailure) {
        var refusal: AgentFailure?
        do throws(AgentFailure) {
            try await read()
            if let wanted = state.withLock({ $0.wanted }) { _ = try generations.accept(wanted) }
        } catch {
            // What is in force is looked after all the same.
            refusal = error
        }
        try load { try self.generations.tidy() }
        if let pending = try load({ try self.generations.pending() }) {
            try await bringIntoForce(pending)
        } else if let applied = try load({ try self.generations.applied() }) {
            try await keep(applied)
        }
        if let refusal { throw refusal }
    }

    private func bringIntoForce(_ pending: SignedConfiguration) async throws(AgentFailure) {
        // It was being taken back when the agent stopped, or that has failed.
        let rejections = try load { try self.generations.rejections() }
        if let rejection = rejections.first(where: { $0.checksum == pending.checksum }) {
            throw try await rollBack(pending, rejection.reason)
        }
        do throws(AgentFailure) {
            try await withBudget(pending) { permit throws(AgentFailure) in try await self.prove(pending, permit) }
        } catch {
            await followAlone()
            throw error
        }
    }

    /// Has files follow Secrets that need nobody's leave for it.
    private func followAlone() async {
        if !(await generations.follow()).isEmpty { await tellFollowed() }
    }

    /// Puts back what has changed on the machine, and follows what has changed in Secrets.
    private func keep(_ applied: SignedConfiguration) async throws(AgentFailure) {
        follow(try generations.document(applied))
        try await withBudget(applied) { permit throws(AgentFailure) in
            // What was put out of order by somebody is put in order at once; a Secret changes for all machines.
            let outcome = try await self.generations.apply(applied) { change in
                change == .following ? await permit() : true
            }
            switch outcome {
            case .nothingToDo: break
            case .deferred(let units):
                await self.followAlone()
                throw Self.waiting(applied, units)
            case .changed(_, .following):
                await self.tellFollowed()
            case .changed:
                await self.report.event("DriftRepaired", "what had changed was put back", isWarning: false)
            }
        }
    }

    private static func waiting(_ configuration: SignedConfiguration, _ units: [String]) -> AgentFailure {
        let names = units.joined(separator: ", ")
        return AgentFailure(.waiting, "generation \(configuration.generation) waits for leave to restart \(names)")
    }

    /// Runs `body`, which may ask for leave to restart what pods depend on, and gives the leave back after it.
    private func withBudget(
        _ configuration: SignedConfiguration,
        _ body: (@escaping @Sendable () async -> Bool) async throws(AgentFailure) -> Void
    ) async throws(AgentFailure) {
        let size = try generations.document(configuration).spec.restartBudget ?? 1
        let budget = RestartBudget(client: access.client, machine: context.identity.machine, logger: context.logger)
        let result: Result<Void, AgentFailure> = await withTaskGroup(of: Void.self) { group in
            group.addTask { await budget.renew() }
            defer { group.cancelAll() }
            do throws(AgentFailure) {
                try await body {
                    if await self.isLeaving() { return false }
                    return await budget.acquire(budget: size)
                }
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        // In a task of its own, which is not cancelled with this one.
        await Task { await budget.release() }.value
        try result.get()
    }

    /// Applies a generation and waits until it has proven itself; else brings the last one back.
    private func prove(
        _ pending: SignedConfiguration,
        _ permit: @escaping @Sendable () async -> Bool
    ) async throws(AgentFailure) {
        defer { state.withLock { $0.isJudging = false } }
        let document = try generations.document(pending)
        let isFirst = try load({ try self.generations.applied() }) == nil
        let outcome: Generations.Outcome
        do throws(AgentFailure) {
            outcome = try await generations.apply(pending) { _ in if isFirst { true } else { await permit() } }
        } catch {
            guard error.cause == .unit, !isFirst else { throw error }
            throw try await rollBack(pending, error.message)
        }
        if case .deferred(let units) = outcome { throw Self.waiting(pending, units) }
        try await moveCertificates(pending, document) { if isFirst { true } else { await permit() } }
        if let reason = try await judge(document, isFirst: isFirst) {
            if isFirst || Task.isCancelled { throw AgentFailure(.unhealthy, reason) }
            throw try await rollBack(pending, reason)
        }
        try generations.promote(pending)
        follow(document)
        context.logger.notice("in force", metadata: ["generation": "\(pending.generation)"])
        await tellApplied(pending, document)
    }

    /// Has the certificates issued by the CAs that are to issue them, if the generation names any.
    private func moveCertificates(
        _ pending: SignedConfiguration,
        _ document: NodeConfiguration,
        permit: () async -> Bool
    ) async throws(AgentFailure) {
        guard let issuers = document.spec.certificateIssuers else { return }
        let move = CertificateMove(context, access, to: issuers)
        try await move.run(
            hasTunnel: document.spec.tunnelCertificate != nil,
            hasKubelet: document.spec.kubelet != nil
        ) {
            guard await permit(), (try? self.generations.begin(pending, startsKubelet: true)) != nil else {
                return false
            }
            self.state.withLock { $0.isJudging = true }
            return true
        }
    }

    /// Waits until a generation has proven itself; what is wrong where it does not.
    private func judge(_ document: NodeConfiguration, isFirst: Bool) async throws(AgentFailure) -> String? {
        let begunAt = try load { try self.generations.begunAt() }
        let hold = HealthHold(context, access, document, begunAt: begunAt)
        let health = document.spec.health
        state.withLock { $0.isJudging = true }
        return await hold.wait(hold: isFirst ? 0 : health?.holdSeconds ?? 30, timeout: health?.timeoutSeconds ?? 300)
    }

    /// Brings the last generation back as a whole; the failure that is to be shown from then on.
    private func rollBack(_ pending: SignedConfiguration, _ reason: String) async throws(AgentFailure) -> AgentFailure {
        context.logger.error("taken back", metadata: ["generation": "\(pending.generation)", "reason": "\(reason)"])
        try generations.reject(pending, reason)
        if let applied = try load({ try self.generations.applied() }) {
            // Back to what worked: nobody is asked for leave, for what is there now does not work.
            try await generations.restore(applied)
        }
        try generations.dropPending()
        let failure = Generations.takenBack(pending.generation, reason)
        await report.event("GenerationRolledBack", failure.message, isWarning: true)
        await tellProgress()
        return failure
    }

    /// Whether the Node is to be left alone; one that is gone has nobody who waits for its pods.
    package func isLeaving() async -> Bool {
        do throws(APIError) {
            return try await access.client.find(Node.self, context.identity.machine)?.isLeaving ?? false
        } catch {
            return true
        }
    }

    private func load<Value>(_ body: () throws -> Value) throws(AgentFailure) -> Value {
        try attempt("read the state", body)
    }

    private func every(_ period: Nanoseconds, _ body: @escaping @Sendable () async -> Void) async {
        while !Task.isCancelled {
            await body()
            try? await Task.sleep(period)
        }
    }
}
