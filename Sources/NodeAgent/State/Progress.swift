package import ClusterModel

/// How far the bootstrap is, kept over restarts.
package struct Progress: Codable, Hashable, Sendable {
    package var phase: BootstrapPhase
    /// Seconds since 1970 of the agent's first start.
    package var startedAt: UInt64
    package var attempts: Int
    package var error: String?
    package var cause: AgentFailure.Cause?
    package var timings: [NodeBootstrap.Timing]

    package init(at time: UInt64) {
        (phase, startedAt, attempts, timings) = (.preflight, time, 0, [])
    }
}
