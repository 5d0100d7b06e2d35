internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
package import Logging
internal import Observability
package import TendrilCore

/// The agent's state as Prometheus text.
package enum AgentMetrics {
    /// Answers `/metrics`, `/healthz` and `/readyz` once the address can be had, until the process ends.
    ///
    /// An agent without metrics is worth more than none.
    ///
    /// - Parameters:
    ///   - address: of this host.
    ///   - logger: is told while the address cannot be had.
    ///   - pause: how long the first wait is; later ones are up to a minute.
    package static func serve(_ address: Endpoint, logger: Logger, pause: Nanoseconds = .seconds(1)) async {
        var backoff = Backoff(start: pause, limit: .seconds(60))
        while !Task.isCancelled {
            do {
                let endpoint = try HTTPEndpoint(address, respond: answer)
                return try WorkerThread(name: "metrics") { endpoint.serve() }.detach()
            } catch {
                logger.error("\(error)")
                try? await Task.sleep(nanoseconds: backoff.wait().value)
            }
        }
    }

    private static func answer(_ path: String) -> HTTPEndpoint.Response? {
        let status = try? StatusFile.read()
        switch path {
        case "/metrics": return HTTPEndpoint.Response(text(status))
        case "/healthz": return HTTPEndpoint.Response("ok\n")
        case "/readyz":
            let isReady = status?.phase == .done && status?.error == nil
            return HTTPEndpoint.Response(
                status: isReady ? 200 : 503,
                isReady ? "ok\n" : "\(status?.error ?? "joining")\n"
            )
        default: return nil
        }
    }

    private static func text(_ status: AgentStatus?) -> String {
        guard let status else { return "" }
        func gauge(_ name: String, _ help: String, _ value: Int, _ labels: String = "") -> String {
            "# HELP \(name) \(help)\n# TYPE \(name) gauge\n\(name)\(labels) \(value)\n"
        }
        let phases = BootstrapPhase.allCases.map { phase in
            "tendril_agent_phase{phase=\"\(phase.rawValue)\"} \(phase == status.phase ? 1 : 0)\n"
        }
        let cause = status.cause?.rawValue ?? "none"
        return "# HELP tendril_agent_phase The phase that the machine is in.\n# TYPE tendril_agent_phase gauge\n"
            + phases.joined()
            + gauge("tendril_agent_generation", "The generation in force; 0 before the first.", status.generation ?? 0)
            + gauge(
                "tendril_agent_pending_generation",
                "The generation on its way; 0 for none.",
                status.pendingGeneration ?? 0
            )
            + gauge(
                "tendril_agent_failing",
                "Whether something is wrong now.",
                status.error == nil ? 0 : 1,
                "{cause=\"\(cause)\"}"
            )
            + gauge("tendril_agent_attempts", "Attempts to join that failed.", status.attempts)
            + gauge(
                "tendril_agent_certificate_expiry_seconds",
                "When the agent's certificate runs out, since 1970.",
                status.certificateExpiry.flatMap(KubernetesTime.seconds).map { Int($0) } ?? 0
            )
    }
}
