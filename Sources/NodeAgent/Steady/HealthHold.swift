internal import ClusterModel
internal import KubernetesClient
package import LinuxSystem
package import NodePlan
internal import TendrilCore

/// Waits until a generation has proven itself.
package struct HealthHold: Sendable {
    /// What is not well.
    package struct Problem: Hashable, Sendable {
        /// Who was asked and did not answer.
        package enum Silence: Sendable {
            case systemd
            case api
        }

        /// In words.
        package let reason: String
        /// `nil` where it was seen that something is wrong.
        package let silence: Silence?

        init(_ reason: String, _ silence: Silence? = nil) { (self.reason, self.silence) = (reason, silence) }
    }

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
    ///   - timeout: in seconds, until the time of being well begins; what passes while no API server answers is not
    ///     among them, and may be as long once more.
    /// - Returns: `nil` once it has proven itself, else what was wrong last; a systemd that does not answer at once.
    func wait(hold: Int, timeout: Int) async -> Problem? {
        let patience = Nanoseconds.seconds(UInt64(timeout)).value
        var (heard, unheard) = (UInt64(0), UInt64(0))
        var wellSince: MonotonicTime?
        var last = Clock.now()
        while !Task.isCancelled {
            let problem = await problem()
            let now = Clock.now()
            let passed = now.since(last).value
            last = now
            if problem?.silence == .api { unheard &+= passed } else { heard &+= passed }
            if let problem {
                wellSince = nil
                switch problem.silence {
                case .systemd: return problem
                case .api: if unheard >= patience { return problem }
                case nil: if heard >= patience { return problem }
                }
            } else {
                let since = wellSince ?? now
                wellSince = since
                if now.since(since) >= .seconds(UInt64(hold)) { return nil }
            }
            try? await Task.sleep(.seconds(1))
        }
        return Problem("the agent was stopped")
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
    package func problem() async -> Problem? {
        do throws(AgentFailure) {
            let failing = try await LocalHealth.units(context.units, document.spec.supervisedUnits)
            if let first = failing.first { return Problem(first) }
        } catch {
            return Problem(error.message, error.cause == .systemd ? .systemd : nil)
        }
        guard document.spec.kubelet != nil else { return nil }
        if let problem = await LocalHealth.kubelet(context.transport) { return Problem(problem) }
        do throws(APIError) {
            guard let node = try await access.client.find(Node.self, context.identity.machine) else {
                return Problem("there is no Node \(context.identity.machine)")
            }
            guard node.isReady else { return Problem("the Node is not Ready") }
            // Each time anew, for the clock may be set while it is waited for.
            let isHeard = node.isReady(since: kubeletStart?.earliest() ?? 0)
            return isHeard ? nil : Problem("the kubelet was not heard of since it was started")
        } catch {
            return Problem("\(error)", error.isRetryable ? .api : nil)
        }
    }
}
