internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import Logging

/// Limits how many machines of a cluster disturb their pods at the same time: whoever restarts holds one of a fixed
/// number of Leases.
///
/// The Leases exist already; an agent may change but not make them.
struct RestartBudget: Sendable {
    /// How long a machine may hold a Lease without renewing it, in seconds.
    static let duration = 900

    let client: KubernetesClient
    let machine: String
    let logger: Logger

    /// Takes one of `budget` Leases; its index, or `nil` while all are taken.
    func acquire(budget: Int) async throws(APIError) -> Int? {
        for index in 0..<budget {
            guard
                var lease = try await client.find(
                    Lease.self,
                    TendrilAPI.restartLease(index),
                    namespace: TendrilAPI.namespace
                )
            else {
                break
            }
            guard isFree(lease) else { continue }
            let now = KubernetesTime.microText(seconds: Clock.unixTime())
            lease.spec = Lease.Spec(holderIdentity: machine, leaseDurationSeconds: Self.duration, renewTime: now)
            do throws(APIError) {
                try await client.replace(lease)
                return index
            } catch  where error.isConflict {
                continue
            }
        }
        return nil
    }

    /// Gives a Lease back.
    func release(_ index: Int) async {
        do throws(APIError) {
            var lease = try await client.get(
                Lease.self,
                TendrilAPI.restartLease(index),
                namespace: TendrilAPI.namespace
            )
            guard lease.spec?.holderIdentity == machine else { return }
            lease.spec?.holderIdentity = ""
            try await client.replace(lease)
        } catch {
            // It runs out by itself.
            logger.debug("cannot give the restart budget back", metadata: ["reason": "\(error)"])
        }
    }

    private func isFree(_ lease: Lease) -> Bool {
        guard let holder = lease.spec?.holderIdentity, !holder.isEmpty, holder != machine else { return true }
        let renewed = lease.spec?.renewTime.flatMap(KubernetesTime.seconds) ?? 0
        return renewed + UInt64(max(lease.spec?.leaseDurationSeconds ?? 0, 0)) < Clock.unixTime()
    }
}
