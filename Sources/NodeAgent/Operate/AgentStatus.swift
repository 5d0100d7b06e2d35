package import ClusterModel

/// What `tendril-agent status` shows.
package struct AgentStatus: Codable, Hashable, Sendable {
    package var machine: String
    package var pool: String
    package var cluster: String
    package var version: String
    package var phase: BootstrapPhase
    package var attempts: Int
    package var error: String?
    package var cause: AgentFailure.Cause?
    package var timings: [NodeBootstrap.Timing]
    /// Absent before the first generation is in force.
    package var generation: Int?
    package var checksum: String?
    package var pendingGeneration: Int?
    package var certificateExpiry: String?
    package var updatedAt: String
}
