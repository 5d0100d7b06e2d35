internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import NodePlan
internal import TLSEngine

/// What is told of the node, in the cluster and on the machine.
extension Supervisor {
    func note(_ failure: AgentFailure) async {
        let event = failure.isRefusal ? "DesiredStateRefused" : "ReconcileFailed"
        let isNew = state.withLock { state in
            defer { state.failure = failure }
            return state.failure != failure
        }
        showStatus()
        guard isNew else { return }
        context.logger.warning("\(failure.message)", metadata: ["cause": "\(failure.cause.rawValue)"])
        await report.event(event, failure.message, isWarning: true)
        await report.tell(Condition("TendrilAgentReady", status: "False", reason: event, message: failure.message))
    }

    func clearFailure() async {
        state.withLock { $0.failure = nil }
        await report.tell(
            Condition("TendrilAgentReady", status: "True", reason: "AsWanted", message: "the node is as it is wanted")
        )
    }

    func showStatus() {
        var shown = progress
        let failure = state.withLock { $0.failure }
        (shown.error, shown.cause) = (failure?.message, failure?.cause)
        StatusFile.write(context, progress: shown, expiry: membership.identity.facts.expiry)
        context.service.notify("STATUS=" + (failure?.message ?? "the node is as it is wanted"))
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
        let taints = (document.spec.kubelet?.taints ?? []).map {
            Node.Taint(key: $0.key, value: $0.value, effect: $0.effect)
        }
        // Who changes the Node at the same time, its kubelet most of all, makes a change of its taints a conflict.
        for isLast in [false, false, false, false, true] {
            let node = try await membership.client.get(Node.self, context.identity.machine)
            do throws(APIError) {
                return try await report.tellApplied(
                    configuration,
                    kubelet: node.status?.nodeInfo?.kubeletVersion ?? document.spec.kubelet?.version ?? "unknown",
                    labels: document.spec.kubelet?.labels ?? [:],
                    taints: taints,
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
