internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import Logging

/// Removes what was kept and granted for machines that are gone: a scaling group makes new ones all the time.
struct MachineCleanUp: Sendable {
    /// How often it looks, in seconds.
    private static let period: UInt64 = 600

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
            try? await Task.sleep(nanoseconds: Self.period * 1_000_000_000)
        }
    }

    private func removeGone() async throws(APIError) {
        let records = MachineRecords(client: client)
        let now = Clock.unixTime()
        for record in try await records.all() where record.mayBeGone(at: now) {
            let node = try await client.find(Node.self, record.machine)
            guard record.isGone(at: now, hasNode: node != nil) else { continue }
            guard try await records.forget(record, of: cluster) else { continue }
            logger.info("machine is gone", metadata: ["machine": "\(record.machine)", "pool": "\(record.pool)"])
        }
    }
}
