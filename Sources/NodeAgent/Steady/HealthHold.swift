internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import NodePlan
internal import TendrilCore

/// Waits until a generation has proven itself.
struct HealthHold: Sendable {
    private let supervisor: Supervisor

    init(_ supervisor: Supervisor) { self.supervisor = supervisor }

    /// Waits until all was well for `hold` seconds without a break.
    ///
    /// - Parameters:
    ///   - document: what is to be well.
    ///   - hold: in seconds.
    ///   - timeout: in seconds, until the time of being well begins.
    /// - Returns: `nil` once it has proven itself, else what was wrong last.
    func wait(_ document: NodeConfiguration, hold: Int, timeout: Int) async -> String? {
        var wellSince: MonotonicTime?
        let deadline = Clock.now() + .seconds(UInt64(timeout))
        while !Task.isCancelled {
            let problem = await problem(document)
            let now = Clock.now()
            if let problem {
                wellSince = nil
                if now >= deadline { return problem }
            } else {
                let since = wellSince ?? now
                wellSince = since
                if now.since(since) >= UInt64(hold) * 1_000_000_000 { return nil }
            }
            try? await Task.sleep(nanoseconds: 1_000_000_000)
        }
        return "the agent was stopped"
    }

    private func problem(_ document: NodeConfiguration) async -> String? {
        let context = supervisor.context
        if let problem = await LocalHealth.units(context.units, document.spec.supervisedUnits).first { return problem }
        guard document.spec.kubelet != nil else { return nil }
        if let problem = await LocalHealth.kubelet(context.transport) { return problem }
        do throws(APIError) {
            guard let node = try await supervisor.membership.client.find(Node.self, context.identity.machine) else {
                return "there is no Node \(context.identity.machine)"
            }
            return node.isReady ? nil : "the Node is not Ready"
        } catch {
            return "\(error)"
        }
    }
}
