internal import ClusterModel
package import KubernetesClient
internal import LinuxSystem
package import Logging
package import TendrilCore

/// Limits how many machines of a cluster disturb their pods at the same time: whoever restarts holds one of a fixed
/// number of Leases.
///
/// The Leases exist already; an agent may change but not make them. No clock of another machine is believed: what
/// somebody else holds is free once it was seen unchanged for as long as it is good for.
package final class RestartBudget: Sendable {
    /// What a Lease of somebody else says, and since when it was seen to say just that.
    private struct Sight {
        let version: String?
        let spec: Lease.Spec
        let since: MonotonicTime
    }

    /// How long a Lease is believed to be good for at most, in seconds, whatever it says.
    private static let longestLease = 3600

    private let client: KubernetesClient
    private let machine: String
    private let logger: Logger
    /// The Leases that this machine may hold.
    private let held = Guarded<Set<Int>>([])
    /// The Leases that others held when they were looked at last.
    private let sights = Guarded<[Int: Sight]>([:])

    package init(client: KubernetesClient, machine: String, logger: Logger) {
        (self.client, self.machine, self.logger) = (client, machine, logger)
    }

    /// Takes one of `budget` Leases, one that is held already before any other; whether there was one.
    ///
    /// - Parameters:
    ///   - budget: how many Leases there are.
    ///   - now: the time of this look; who asks again later finds out who has fallen silent meanwhile.
    /// - Returns: whether this machine may restart.
    package func acquire(budget: Int, at now: MonotonicTime) async -> Bool {
        let own = held.withLock { $0 }
        for index in own.sorted() + (0..<budget).filter({ !own.contains($0) }) {
            do throws(APIError) {
                let lease = try await lease(index)
                guard isFree(lease, index, at: now) else { continue }
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

    /// Whether nobody else holds a Lease, or whoever does has fallen silent.
    private func isFree(_ lease: Lease, _ index: Int, at now: MonotonicTime) -> Bool {
        guard let spec = lease.spec, let holder = spec.holderIdentity, !holder.isEmpty, holder != machine else {
            return true
        }
        let version = lease.metadata.resourceVersion
        let since = sights.withLock { sights in
            // The version alone may come again, where etcd goes back to a snapshot.
            if let known = sights[index], known.version == version, known.spec == spec { return known.since }
            sights[index] = Sight(version: version, spec: spec, since: now)
            return now
        }
        let seconds = min(spec.leaseDurationSeconds ?? TendrilAPI.restartLeaseSeconds, Self.longestLease)
        return now >= since + .seconds(UInt64(max(seconds, 1)))
    }
}
