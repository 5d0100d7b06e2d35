internal import ClusterModel
internal import KubernetesClient
internal import Logging

/// Frees the names of machines that have ended: where names are addresses, the next machine may have one of them.
enum EndedMachines {
    /// Removes what was kept and granted for machines that are not there any more.
    ///
    /// - Parameters:
    ///   - work: whose machines they are.
    ///   - provider: who made them; of others nothing is removed.
    ///   - present: all machines that there are, as the provider said just now.
    ///   - shoot: the shoot's API.
    ///   - now: in seconds since 1970.
    /// - Throws: `APIError`.
    static func forget(
        _ work: ShootWork,
        _ provider: any InfrastructureProvider,
        _ present: PresentMachines,
        _ shoot: KubernetesClient,
        at now: UInt64
    ) async throws {
        let records = MachineRecords(client: shoot)
        for record in try await records.all() {
            guard record.machine.hasPrefix(provider.namePrefix(work.namespace, pool: record.pool)),
                present.isGone(record.machine), record.mayHaveEnded(at: now)
            else { continue }
            let node = try await shoot.find(Node.self, record.machine)
            guard record.hasEnded(at: now, hasNode: node != nil) else { continue }
            guard try await records.forget(record, of: work.namespace) else { continue }
            let metadata: Logger.Metadata = ["machine": "\(record.machine)", "pool": "\(record.pool)"]
            work.logger.info("machine has ended", metadata: metadata)
        }
    }
}
