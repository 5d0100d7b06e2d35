internal import ClusterModel
package import KubernetesClient
internal import LinuxSystem
package import Logging
package import TendrilCore

/// Limits how many machines of a cluster disturb their pods at the same time: whoever restarts holds one of a fixed
/// number of Leases.
///
/// The Leases exist already; an agent may change but not make them.
package final class RestartBudget: Sendable {
    private let client: KubernetesClient
    private let machine: String
    private let logger: Logger
    /// The Leases that this machine may hold.
    private let held = Guarded<Set<Int>>([])

    package init(client: KubernetesClient, machine: String, logger: Logger) {
        (self.client, self.machine, self.logger) = (client, machine, logger)
    }

    /// Takes one of `budget` Leases, one that is held already before any other; whether there was one.
    package func acquire(budget: Int) async -> Bool {
        let own = held.withLock { $0 }
        for index in own.sorted() + (0..<budget).filter({ !own.contains($0) }) {
            do throws(APIError) {
                let lease = try await lease(index)
                guard isFree(lease) else { continue }
                // Also where the answer is lost.
                held.withLock { _ = $0.insert(index) }
                try await take(lease)
                return true
            } catch {
                guard !error.isConflict else { continue }
                logger.debug("cannot take leave to restart", metadata: ["reason": "\(error)"])
                return false
            }
        }
        return false
    }

    /// Renews what is held, until the task is cancelled.
    package func renew(every period: Nanoseconds = .seconds(300)) async {
        while true {
            do { try await Task.sleep(period) } catch { return }
            for index in held.withLock({ $0 }) {
                do throws(APIError) {
                    let lease = try await lease(index)
                    if lease.spec?.holderIdentity == machine { try await take(lease) }
                } catch {
                    logger.debug("cannot renew leave to restart", metadata: ["reason": "\(error)"])
                }
            }
        }
    }

    /// Gives back all that is held.
    package func release() async {
        for index in held.withLock({ $0 }) {
            do throws(APIError) {
                var lease = try await lease(index)
                guard lease.spec?.holderIdentity == machine else { continue }
                lease.spec?.holderIdentity = ""
                try await client.replace(lease)
            } catch {
                // It runs out by itself.
                logger.debug("cannot give the restart budget back", metadata: ["reason": "\(error)"])
            }
        }
        held.withLock { $0 = [] }
    }

    private func lease(_ index: Int) async throws(APIError) -> Lease {
        try await client.get(Lease.self, TendrilAPI.restartLease(index), namespace: TendrilAPI.namespace)
    }

    private func take(_ lease: Lease) async throws(APIError) {
        var lease = lease
        let now = KubernetesTime.microText(seconds: Clock.unixTime())
        lease.spec = Lease.Spec(
            holderIdentity: machine,
            leaseDurationSeconds: TendrilAPI.restartLeaseSeconds,
            renewTime: now
        )
        try await client.replace(lease)
    }

    private func isFree(_ lease: Lease) -> Bool {
        guard let holder = lease.spec?.holderIdentity, !holder.isEmpty, holder != machine else { return true }
        let renewed = lease.spec?.renewTime.flatMap(KubernetesTime.seconds) ?? 0
        return renewed + UInt64(max(lease.spec?.leaseDurationSeconds ?? 0, 0)) < Clock.unixTime()
    }
}
