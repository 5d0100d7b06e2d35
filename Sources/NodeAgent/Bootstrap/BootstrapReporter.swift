internal import ClusterModel
internal import FoundationEssentials
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import TendrilCore

/// Tells the cluster how far a machine is, before there is a Node: in its NodeBootstrap object.
///
/// What cannot be told is no reason to stop.
package final class BootstrapReporter: Sendable {
    private struct State: Sendable {
        var client: KubernetesClient?
        var last: NodeBootstrap.Status?
    }

    private let context: AgentContext
    private let state = Guarded(State())

    init(_ context: AgentContext) { self.context = context }

    /// Speaks through this client from now on.
    func use(_ client: KubernetesClient) { state.withLock { $0.client = client } }

    /// Tells a progress that is worth a request: a failure, or one of the phases that take time.
    func report(_ progress: Progress) async {
        guard let client = state.withLock({ $0.client }) else { return }
        let isWorthIt = progress.error != nil || [.identity, .apply, .ready, .done].contains(progress.phase)
        guard isWorthIt else { return }
        var status = status(of: progress)
        status.error = progress.error
        status.attempts = progress.attempts
        guard state.withLock({ $0.last }) != status else { return }
        state.withLock { $0.last = status }
        status.lastUpdateTime = KubernetesTime.text(seconds: Clock.unixTime())
        await send(status, client)
    }

    /// Tells which generation is in force, too.
    func report(generation: Int, _ progress: Progress) async {
        guard let client = state.withLock({ $0.client }) else { return }
        var status = status(of: progress)
        status.appliedGeneration = generation
        status.lastUpdateTime = KubernetesTime.text(seconds: Clock.unixTime())
        await send(status, client)
    }

    private func status(of progress: Progress) -> NodeBootstrap.Status {
        var status = NodeBootstrap.Status(phase: progress.phase)
        status.agentVersion = Version.text
        status.timings = progress.timings
        return status
    }

    private func send(_ status: NodeBootstrap.Status, _ client: KubernetesClient) async {
        let name = context.identity.machine
        do {
            let change = try CanonicalJSON.value(["status": status])
            // What is not said any more has to go.
            let whole = status.error == nil ? change.merging(["status": ["error": .null]]) : change
            try await put(whole, name, client)
        } catch {
            context.logger.debug("cannot report the progress", metadata: ["reason": "\(error)"])
        }
    }

    private func put(_ change: JSONValue, _ name: String, _ client: KubernetesClient) async throws(APIError) {
        do throws(APIError) {
            try await client.patch(NodeBootstrap.self, name, subresource: "status", change)
        } catch {
            guard error.isNotFound else { throw error }
            try await client.create(NodeBootstrap(name: name, pool: context.identity.pool))
            try await client.patch(NodeBootstrap.self, name, subresource: "status", change)
        }
    }
}
