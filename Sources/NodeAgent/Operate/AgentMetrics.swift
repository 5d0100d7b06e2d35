internal import ClusterModel
internal import Observability

/// The agent's state as Prometheus text.
enum AgentMetrics {
    static func text(_ status: AgentStatus?) -> String {
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
