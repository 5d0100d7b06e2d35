internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import TendrilCore

/// Removes what was kept and granted for machines that are gone: a scaling group makes new ones all the time.
struct MachineCleanUp: Sendable {
    /// How often it looks.
    private static let period = Nanoseconds.seconds(600)

    let client: KubernetesClient
    let cluster: String
    let logger: Logger

    /// Looks again and again, until its task is cancelled.
    func run() async {
        while !Task.isCancelled {
            do throws(APIError) {
                try await removeGone()
            } catch {
                logger.warning("cannot look for machines that are gone", metadata: ["reason": "\(error)"])
            }
            try? await Task.sleep(Self.period)
        }
    }

    private func removeGone() async throws(APIError) {
        let now = Clock.unixTime()
        let gone = try await MachineRecords(client: client).forget(
            of: cluster,
            where: { $0.mayBeGone(at: now) },
            isGone: { $0.isGone(at: now, hasNode: $1) }
        )
        for record in gone {
            logger.info("machine is gone", metadata: ["machine": "\(record.machine)", "pool": "\(record.pool)"])
        }
    }
}
