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
                return try HTTPEndpoint(address, metrics: metrics, readiness: readiness).start()
            } catch {
                logger.error("\(error)")
                try? await Task.sleep(backoff.wait())
            }
        }
    }

    private static func readiness() -> (isReady: Bool, line: String) {
        let status = try? StatusFile.read()
        let isReady = status?.phase == .done && status?.error == nil
        return (isReady, isReady ? "ok" : status?.error ?? "joining")
    }

    private static func metrics() -> String {
        guard let status = try? StatusFile.read() else { return "" }
        var text = MetricsText()
        func gauge(_ name: String, _ help: String, _ samples: [MetricsText.Sample]) {
            text.add("tendril_agent_\(name)", .gauge, help, samples)
        }
        gauge(
            "phase",
            "The phase that the machine is in.",
            BootstrapPhase.allCases.map { .init($0 == status.phase ? 1 : 0, [("phase", $0.rawValue)]) }
        )
        gauge("generation", "The generation in force; 0 before the first.", [.init(status.generation ?? 0)])
        gauge(
            "pending_generation",
            "The generation on its way; 0 for none.",
            [.init(status.pendingGeneration ?? 0)]
        )
        gauge(
            "failing",
            "Whether something is wrong now.",
            [.init(status.error == nil ? 0 : 1, [("cause", status.cause?.rawValue ?? "none")])]
        )
        gauge("attempts", "Attempts to join that failed.", [.init(status.attempts)])
        gauge(
            "certificate_expiry_seconds",
            "When the agent's certificate runs out, since 1970.",
            [.init(status.certificateExpiry.flatMap(KubernetesTime.seconds) ?? 0)]
        )
        return text.text
    }
}
