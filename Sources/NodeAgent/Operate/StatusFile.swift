internal import ClusterModel
internal import FoundationEssentials
internal import LinuxSystem
internal import TendrilCore

/// The status, kept in a file of the run-time directory that anybody may read: it holds no secrets.
package enum StatusFile {
    /// Writes the status; what fails is not worth stopping for.
    ///
    /// - Parameters:
    ///   - context: of the agent.
    ///   - progress: is shown.
    ///   - expiry: of the agent's certificate, in seconds since 1970; `nil` where it has none.
    static func write(_ context: AgentContext, progress: Progress, expiry: UInt64?) {
        let store = context.store
        let applied = try? store.load(SignedConfiguration.self, AgentPaths.applied)
        let pending = try? store.load(PendingGeneration.self, AgentPaths.pending)
        let status = AgentStatus(
            machine: context.identity.machine,
            pool: context.identity.pool,
            cluster: context.identity.cluster,
            version: Version.text,
            phase: progress.phase,
            attempts: progress.attempts,
            error: progress.error,
            cause: progress.cause,
            timings: progress.timings,
            generation: applied?.generation,
            checksum: applied?.checksum,
            pendingGeneration: pending?.configuration.generation,
            certificateExpiry: expiry.map(KubernetesTime.text(seconds:)),
            updatedAt: KubernetesTime.text(seconds: Clock.unixTime())
        )
        guard let bytes = try? CanonicalJSON.bytes(status) else { return }
        try? context.files.replace(AgentPaths.status, bytes, mode: 0o644)
    }

    /// Reads what a running agent wrote; `nil` where none has run since the boot.
    package static func read() throws -> AgentStatus? {
        guard let bytes = try ConfinedFiles().read(AgentPaths.status) else { return nil }
        return try JSONDecoder().decode(AgentStatus.self, from: Data(bytes))
    }
}
