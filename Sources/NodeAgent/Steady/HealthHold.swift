internal import ClusterModel
internal import KubernetesClient
package import LinuxSystem
package import NodePlan
internal import TendrilCore

/// Waits until a generation has proven itself.
package struct HealthHold: Sendable {
    private let context: AgentContext
    private let access: ClusterAccess
    private let document: NodeConfiguration
    /// When its kubelet was started: what the Node said before says nothing of that one.
    private let kubeletStart: Moment?

    /// Looks at what a document wants.
    ///
    /// - Parameters:
    ///   - context: of the agent.
    ///   - access: of the machine.
    ///   - document: what is to be well.
    ///   - kubeletStart: when its kubelet was started; `nil` where that runs for longer, and tells only every few
    ///     minutes that all is as it was.
    package init(
        _ context: AgentContext,
        _ access: ClusterAccess,
        _ document: NodeConfiguration,
        kubeletStart: Moment?
    ) {
        (self.context, self.access, self.document) = (context, access, document)
        self.kubeletStart = kubeletStart
    }

    /// Waits until all was well for `hold` seconds without a break.
    ///
    /// - Parameters:
    ///   - hold: in seconds.
    ///   - timeout: in seconds, until the time of being well begins.
    /// - Returns: `nil` once it has proven itself, else what was wrong last.
    func wait(hold: Int, timeout: Int) async -> String? {
        var wellSince: MonotonicTime?
        let deadline = Clock.now() + .seconds(UInt64(timeout))
        while !Task.isCancelled {
            let problem = await problem()
            let now = Clock.now()
            if let problem {
                wellSince = nil
                if now >= deadline { return problem }
            } else {
                let since = wellSince ?? now
                wellSince = since
                if now.since(since) >= .seconds(UInt64(hold)) { return nil }
            }
            try? await Task.sleep(.seconds(1))
        }
        return "the agent was stopped"
    }

    /// Waits until the API server answers, whatever it says.
    ///
    /// - Parameter timeout: in seconds.
    /// - Returns: why it did not answer in all of that time; `nil` where it has, or the task was cancelled.
    func silence(timeout: Int) async -> String? {
        let client = access.client.hasty(.seconds(5), triesAgain: false)
        let deadline = Clock.now() + .seconds(UInt64(timeout))
        while !Task.isCancelled {
            do throws(APIError) {
                _ = try await client.find(Node.self, context.identity.machine)
                return nil
            } catch {
                guard error.isRetryable else { return nil }
                if Clock.now() >= deadline { return "no API server answers: \(error)" }
            }
            try? await Task.sleep(.seconds(1))
        }
        return nil
    }

    /// What is wrong now; `nil` where all is well.
    package func problem() async -> String? {
        if let problem = await LocalHealth.units(context.units, document.spec.supervisedUnits).first { return problem }
        guard document.spec.kubelet != nil else { return nil }
        if let problem = await LocalHealth.kubelet(context.transport) { return problem }
        do throws(APIError) {
            guard let node = try await access.client.find(Node.self, context.identity.machine) else {
                return "there is no Node \(context.identity.machine)"
            }
            guard node.isReady else { return "the Node is not Ready" }
            // Each time anew, for the clock may be set while it is waited for.
            let isHeard = node.isReady(since: kubeletStart?.earliest() ?? 0)
            return isHeard ? nil : "the kubelet was not heard of since it was started"
        } catch {
            return "\(error)"
        }
    }
}
