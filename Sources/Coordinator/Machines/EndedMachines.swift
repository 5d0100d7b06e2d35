internal import ClusterModel
internal import KubernetesClient
internal import Logging
internal import ShootPlan

/// Frees the names of machines that have ended: where names are addresses, the next machine may have one of them.
enum EndedMachines {
    /// Whether there may be any, as far as the shoot itself shows by its API.
    static func mayBe(_ work: ShootWork, _ shoot: KubernetesClient, at now: UInt64) async throws(APIError) -> Bool {
        let nodes = try await shoot.list(Node.self).items
        let issued = try await MachineRecords(client: shoot).all().filter { $0.mayHaveEnded(at: now) }
        return CloudPace.isDoubtful(nodes, issued: issued.map(\.machine), work.facts.spec.workers)
    }

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
        let ended = try await MachineRecords(client: shoot).forget(
            of: work.namespace,
            where: { record in
                record.machine.hasPrefix(provider.namePrefix(work.namespace, pool: record.pool))
                    && present.isGone(record.machine)
                    && record.mayHaveEnded(at: now)
            },
            isGone: { $0.hasEnded(at: now, hasNode: $1) }
        )
        for record in ended {
            let metadata: Logger.Metadata = ["machine": "\(record.machine)", "pool": "\(record.pool)"]
            work.logger.info("machine has ended", metadata: metadata)
        }
    }
}
