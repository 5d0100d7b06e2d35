internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import NodePlan
internal import TLSEngine

/// What is told of the node, in the cluster and on the machine.
extension Supervisor {
    /// Shows a failure, and tells it when it is new.
    package func note(_ failure: AgentFailure) async {
        let isNew = state.withLock { state in
            defer { (state.failure, state.isJudged) = (failure, true) }
            return state.failure != failure
        }
        showStatus()
        if isNew {
            context.logger.warning("\(failure.message)", metadata: ["cause": "\(failure.cause.rawValue)"])
            await report.event(failure.event, failure.message, isWarning: true)
        }
        await tellConditions()
    }

    /// Shows that all is well, and tells it where the Node says something else.
    package func clearFailure() async {
        state.withLock { ($0.failure, $0.isJudged) = (nil, true) }
        showStatus()
        await tellConditions()
    }

    /// Tells the conditions that the Node is not known to have; what cannot be told is tried again.
    func tellConditions() async {
        for condition in state.withLock({ state in state.conditions.filter { state.told[$0.type] != $0 } }) {
            if await report.tell(condition) { state.withLock { $0.told[condition.type] = condition } }
        }
    }

    /// Tells the conditions that the Node does not have: they could not be told, or the Node is another one.
    func tellConditions(missingOn node: Node) async {
        state.withLock { state in
            for condition in state.conditions {
                let said = node.condition(condition.type)
                let isSaid =
                    said?.status == condition.status && said?.reason == condition.reason
                    && said?.message == condition.message
                state.told[condition.type] = isSaid ? condition : nil
            }
        }
        await tellConditions()
    }

    func showStatus() {
        var shown = progress
        let failure = state.withLock { state in
            state.failure ?? (state.isLost ? AgentFailure(.unhealthy, absence) : nil)
        }
        (shown.error, shown.cause) = (failure?.message, failure?.cause)
        StatusFile.write(context, progress: shown, expiry: access.identity.facts.expiry)
        context.service.notify("STATUS=" + (failure?.message ?? "the node is as it is wanted"))
    }

    /// What is wrong when the Node is gone.
    var absence: String { "there is no Node \(context.identity.machine)" }

    /// Tells which agent this is and which generation is in force, and nothing more of what failed before.
    package func tellProgress() async {
        await reporter.report(generation: (try? generations.applied())??.generation ?? 0, progress)
    }

    func tellFollowed() async {
        await report.event("SecretsFollowed", "files follow Secrets that have changed", isWarning: false)
    }

    func tellApplied(_ configuration: SignedConfiguration, _ document: NodeConfiguration) async {
        do throws(APIError) {
            try await markNode(configuration, document)
        } catch {
            // The next look at the Node makes up for it.
            context.logger.warning("cannot tell what is in force", metadata: ["reason": "\(error)"])
        }
        await report.event("GenerationApplied", "generation \(configuration.generation) is in force", isWarning: false)
        await reporter.report(generation: configuration.generation, progress)
    }

    /// Writes what is in force to the Node.
    private func markNode(_ configuration: SignedConfiguration, _ document: NodeConfiguration) async throws(APIError) {
        // Who changes the Node at the same time, its kubelet most of all, makes a change of its taints a conflict.
        for isLast in [false, false, false, false, true] {
            let node = try await access.client.get(Node.self, context.identity.machine)
            do throws(APIError) {
                return try await report.tellApplied(
                    configuration,
                    kubelet: node.status?.nodeInfo?.kubeletVersion ?? document.spec.kubelet?.version ?? "unknown",
                    labels: document.spec.kubelet?.labels ?? [:],
                    taints: document.spec.kubelet?.taints ?? [],
                    on: node
                )
            } catch {
                guard error.isConflict, !isLast else { throw error }
            }
        }
    }

    /// Says again what is in force where the Node does not say it: it could not be told, or the Node was restored.
    func correct(_ node: Node) async {
        guard let applied = (try? generations.applied()) ?? nil, let document = try? generations.document(applied),
            node.metadata.annotations?[NodeReport.checksumAnnotation] != applied.checksum
        else { return }
        try? await markNode(applied, document)
    }
}

extension Supervisor.State {
    /// The conditions that the Node is to have.
    fileprivate var conditions: [Condition] {
        var conditions: [Condition] = []
        if isJudged {
            let message = failure?.message ?? "the node is as it is wanted"
            let (status, reason) = failure.map { ("False", $0.event) } ?? ("True", "AsWanted")
            conditions.append(Condition(AgentCondition.agentReady, status: status, reason: reason, message: message))
        }
        if let failingUnits {
            let isWell = failingUnits.isEmpty
            conditions.append(
                Condition(
                    AgentCondition.unitsReady,
                    status: isWell ? "True" : "False",
                    reason: isWell ? "AllUnitsActive" : "UnitsNotActive",
                    message: isWell ? "all units are as they are wanted" : failingUnits.joined(separator: "; ")
                )
            )
        }
        return conditions
    }
}

extension AgentFailure {
    /// The event that tells it.
    fileprivate var event: String { isRefusal ? "DesiredStateRefused" : "ReconcileFailed" }
}
