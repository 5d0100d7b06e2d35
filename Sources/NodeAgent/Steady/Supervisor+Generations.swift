internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import NodePlan
internal import TendrilCore

/// How what is wanted comes into force, and what is in force stays so.
extension Supervisor {
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
        if let rejection = try load({ try self.generations.rejection(of: pending) }) {
            throw try await rollBack(pending, rejection.reason, isOpen: rejection.isOpen == true)
        }
        do throws(AgentFailure) {
            try await withBudget(pending) { permit throws(AgentFailure) in try await self.prove(pending, permit) }
        } catch {
            if error.isSilence { try await keepMeanwhile() }
            await followAlone()
            throw error
        }
    }

    /// Has files follow Secrets that need nobody's leave for it.
    private func followAlone() async {
        if !(await generations.follow()).isEmpty { await tellFollowed() }
    }

    /// Puts back what has changed on the machine while a generation that has changed nothing yet waits for an answer.
    private func keepMeanwhile() async throws(AgentFailure) {
        guard try load({ try self.generations.isUntouched() }) else { return }
        guard let applied = try load({ try self.generations.applied() }) else { return }
        try await withBudget(applied) { permit throws(AgentFailure) in
            try await self.keepAlone(applied, permit: Self.leave(permit))
        }
    }

    /// Puts back what has changed on the machine, and follows what has changed in Secrets.
    private func keep(_ applied: SignedConfiguration) async throws(AgentFailure) {
        follow(try generations.document(applied))
        try await withBudget(applied) { permit throws(AgentFailure) in
            let leave = Self.leave(permit)
            do throws(AgentFailure) {
                let outcome = try await self.generations.apply(applied, permit: leave)
                try await self.tell(outcome, of: applied)
            } catch {
                guard error.isSilence else { throw error }
                try await self.keepAlone(applied, permit: leave)
                // The rest is still to follow.
                throw error
            }
        }
    }

    /// Puts back what has changed on the machine, as far as that needs nobody's answer.
    private func keepAlone(
        _ applied: SignedConfiguration,
        permit: (Generations.Change) async -> Bool
    ) async throws(AgentFailure) {
        let outcome = try await generations.applyAlone(applied, permit: permit)
        try await tell(outcome, of: applied)
    }

    /// What was put out of order by somebody is put in order at once; a Secret changes for all machines.
    private static func leave(
        _ permit: @escaping @Sendable () async -> Bool
    ) -> @Sendable (Generations.Change) async -> Bool {
        { change in change == .following ? await permit() : true }
    }

    /// Tells what was put back on the machine, and what waits.
    private func tell(
        _ outcome: Generations.Outcome,
        of applied: SignedConfiguration
    ) async throws(AgentFailure) {
        switch outcome {
        case .nothingToDo: break
        case .deferred(let units):
            await followAlone()
            throw Self.waiting(applied, units)
        case .changed(_, .following): await tellFollowed()
        case .changed: await report.event("DriftRepaired", "what had changed was put back", isWarning: false)
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
        let result: Result<Void, AgentFailure> = await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.budget.renew() }
            defer { group.cancelAll() }
            do throws(AgentFailure) {
                try await body {
                    if await self.isLeaving() { return false }
                    return await self.budget.acquire(budget: size, at: Clock.now())
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
        if !isFirst, let reason = try await silence(document) {
            throw try await rollBack(pending, reason, isOpen: true)
        }
        let outcome: Generations.Outcome
        do throws(AgentFailure) {
            outcome = try await generations.apply(pending) { _ in if isFirst { true } else { await permit() } }
        } catch {
            guard error.cause == .unit, !isFirst else { throw error }
            throw try await rollBack(pending, error.message, isOpen: false)
        }
        if case .deferred(let units) = outcome { throw Self.waiting(pending, units) }
        try await moveCertificates(pending, document) { if isFirst { true } else { await permit() } }
        if let problem = try await judge(document, isFirst: isFirst) {
            // Who cannot be asked says nothing of the generation, and could not take it back.
            if problem.silence == .systemd { throw AgentFailure(.systemd, problem.reason) }
            if isFirst || Task.isCancelled { throw AgentFailure(.unhealthy, problem.reason) }
            throw try await rollBack(pending, problem.reason, isOpen: problem.silence == .api)
        }
        try generations.promote(pending)
        follow(document)
        context.logger.notice("in force", metadata: ["generation": "\(pending.generation)"])
        await tellApplied(pending, document)
    }

    /// Why a generation cannot be carried on that has begun, and was not judged before the agent stopped or failed.
    ///
    /// What it changed may be what keeps answers away.
    ///
    /// - Parameter document: of that generation.
    /// - Returns: `nil` where somebody answers, or nothing was changed yet.
    /// - Throws: `AgentFailure` where the state cannot be read.
    private func silence(_ document: NodeConfiguration) async throws(AgentFailure) -> String? {
        guard try load({ try !self.generations.isUntouched() }) else { return nil }
        let hold = HealthHold(context, access, document, kubeletStart: nil)
        return await hold.silence(timeout: Self.timeout(document))
    }

    /// How long it may take until all is well, in seconds.
    private static func timeout(_ document: NodeConfiguration) -> Int { document.spec.health?.timeoutSeconds ?? 300 }

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
    private func judge(
        _ document: NodeConfiguration,
        isFirst: Bool
    ) async throws(AgentFailure) -> HealthHold.Problem? {
        let start = try load { try self.generations.kubeletStart() }
        let hold = HealthHold(context, access, document, kubeletStart: start)
        state.withLock { $0.isJudging = true }
        let length = isFirst ? 0 : document.spec.health?.holdSeconds ?? 30
        return await hold.wait(hold: length, timeout: Self.timeout(document))
    }

    /// Brings the last generation back as a whole; the failure that is to be shown from then on.
    ///
    /// Where that `isOpen` the generation was not seen to be bad: it is tried once more when the API server says again that
    /// it is wanted.
    private func rollBack(
        _ pending: SignedConfiguration,
        _ reason: String,
        isOpen: Bool
    ) async throws(AgentFailure) -> AgentFailure {
        context.logger.error("taken back", metadata: ["generation": "\(pending.generation)", "reason": "\(reason)"])
        try generations.reject(pending, reason, isOpen: isOpen)
        if let applied = try load({ try self.generations.applied() }) {
            // Back to what worked: nobody is asked for leave, for what is there now does not work.
            try await generations.restore(applied)
        }
        if isOpen { state.withLock { ($0.wanted, $0.isUnread) = (nil, $0.pointer != nil) } }
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
}
