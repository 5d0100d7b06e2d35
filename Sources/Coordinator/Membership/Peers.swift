internal import ClusterModel
package import KubernetesClient
internal import LinuxSystem
package import Logging
internal import TLSEngine
internal import TendrilCore

/// The coordinators of one seed share its shoots: each keeps a Lease of its own, and reads those of the others.
package final class Peers: Sendable {
    /// What all of them have only once, such as the report on the seed, belongs to the owner of this key.
    static let seedKey = "seed"
    /// In its Lease: the identities for whose sake a member has let go.
    private static let acknowledged = "tendril.dev/acknowledged"
    /// On each Lease: of which seed.
    private static let label = "tendril.dev/seed"
    /// Leases of members that died are removed once they were seen still for this long.
    private static let remembrance = Nanoseconds.seconds(600)
    /// How often one who has not begun looks: shoots are nobody's meanwhile.
    private static let haste = Nanoseconds.milliseconds(500)

    private struct State {
        var member: Membership
        /// Of the own Lease as it was written last.
        var version: String?
        /// For which members, and whether begun, the shoots were shared out last.
        var shared: (others: Set<String>, hasBegun: Bool)?
    }

    private let client: KubernetesClient
    private let seed: String
    private let namespace: String
    /// The Lease's name: that of a process which starts anew in the same place is the same.
    private let name: String
    private let logger: Logger
    private let state: Guarded<State>

    /// Makes a member that is none yet.
    ///
    /// - Parameters:
    ///   - client: may write whenever it likes.
    ///   - seed: whose shoots are shared.
    ///   - namespace: where the Leases are.
    ///   - place: no two processes that live have the same one.
    ///   - logger: hears who comes and goes.
    package init(client: KubernetesClient, seed: String, namespace: String, place: String, logger: Logger) {
        // Both requests of a turn have to come to an end before patience does.
        self.client = client.hasty(.seconds(3), triesAgain: false)
        (self.seed, self.namespace, self.logger) = (seed, namespace, logger)
        name = "tendril-coordinator-\(seed)-\(Digest.hex(Array(place.utf8)).prefix(10))"
        let identity = "\(place)-\(String(UInt64.random(in: .min ... .max), radix: 36))"
        state = Guarded(State(member: Membership(identity: identity)))
    }

    /// Whether a shoot is this process's to look after.
    func isOwner(of key: String) -> Bool { state.withLock { $0.member.isOwner(of: key) } }

    /// Whether this process may change anything for a shoot now: one that was stopped for a while may not.
    func mayAct(for key: String) -> Bool { state.withLock { $0.member.mayAct(for: key, at: Clock.now()) } }

    /// How many coordinators are seen, this one too.
    var count: Int { state.withLock { $0.member.others.count + 1 } }

    /// Takes part until its time is over, or the task is cancelled.
    ///
    /// - Parameter share: is called whenever others came or went; it ends what is not this process's any more, and begins
    ///   what now is.
    func run(_ share: @escaping @Sendable () async -> Void) async {
        var sharing: Task<Void, Never>?
        while !Task.isCancelled {
            await attempt()
            let member = state.withLock { $0.member }
            guard !member.isLost else { break }
            if let change = change() {
                let before = sharing
                sharing = Task {
                    await before?.value
                    await share()
                    // Who comes waits for this; the next renewal says it.
                    self.state.withLock { $0.member.letGo(for: change) }
                }
            }
            let pause = member.hasBegun ? Membership.period : Self.haste
            try? await Task.sleep(pause)
        }
        await sharing?.value
    }

    /// Changes nothing from now on.
    func stop() { state.withLock { $0.member.wasRobbed() } }

    /// Takes the own Lease away once nothing is under way any more, so that the others need not wait.
    func resign() async {
        guard let version = state.withLock({ $0.version }) else { return }
        _ = try? await client.delete(Lease.self, name, namespace: namespace, ifVersion: version)
    }

    /// Those who are there where that has changed since it was asked last.
    private func change() -> Set<String>? {
        let (isNew, member) = state.withLock { state in
            let (others, hasBegun) = (state.member.others, state.member.hasBegun)
            let isNew = state.shared.map { $0.others != others || $0.hasBegun != hasBegun } ?? true
            state.shared = (others, hasBegun)
            return (isNew, state.member)
        }
        guard isNew else { return nil }
        logger.notice(
            member.hasBegun ? "taking care of shoots" : "waiting for the other coordinators to let go",
            metadata: ["seed": "\(seed)", "coordinators": "\(member.others.count + 1)"]
        )
        return member.others
    }

    private func attempt() async {
        do throws(APIError) {
            try await renew()
            try await look()
        } catch {
            logger.warning("cannot renew the Lease", metadata: ["lease": "\(namespace)/\(name)", "reason": "\(error)"])
        }
    }

    private func renew() async throws(APIError) {
        let begun = Clock.now()
        var (version, lease) = state.withLock { ($0.version, wanted($0.member)) }
        let written: Lease
        if let version {
            lease.metadata.resourceVersion = version
            do throws(APIError) {
                written = try await client.replace(lease)
            } catch {
                guard error.isConflict || error.isNotFound else { throw error }
                try await recover()
                return
            }
        } else if let old = try await client.find(Lease.self, name, namespace: namespace) {
            // A first renewal whose answer was lost may have been seen, and given up, by all others.
            guard old.spec?.holderIdentity != lease.spec?.holderIdentity else {
                state.withLock { $0.member.wasRobbed() }
                return
            }
            // Whoever was here before is not any more.
            lease.metadata.resourceVersion = old.metadata.resourceVersion
            written = try await client.replace(lease)
        } else {
            written = try await client.create(lease)
        }
        state.withLock { state in
            state.version = written.metadata.resourceVersion
            state.member.wrote(begun: begun, now: Clock.now())
        }
    }

    /// The own Lease is not as it was answered last: its answer was lost, or it is somebody else's.
    private func recover() async throws(APIError) {
        let present = try await client.find(Lease.self, name, namespace: namespace)
        state.withLock { state in
            guard let present, present.spec?.holderIdentity == state.member.identity else {
                state.member.wasRobbed()
                return
            }
            state.version = present.metadata.resourceVersion
        }
    }

    private func look() async throws(APIError) {
        let begun = Clock.now()
        let leases = try await client.list(
            Lease.self,
            namespace: namespace,
            selector: "\(Self.label)=\(seed)"
        ).items
        let members = leases.compactMap { lease in Self.record(lease).map { (lease: lease, record: $0) } }
        let now = Clock.now()
        let isKeeper = state.withLock { state in
            state.member.saw(members.map(\.record), begun: begun, now: now)
            return state.member.mayAct(for: Self.seedKey, at: now)
        }
        guard isKeeper else { return }
        for (lease, record) in members {
            guard let dead = lease.metadata.name, dead != name,
                state.withLock({ $0.member.isStill(record.identity, for: Self.remembrance, at: now) })
            else { continue }
            try await client.delete(Lease.self, dead, namespace: namespace, ifVersion: record.version)
        }
    }

    private func wanted(_ member: Membership) -> Lease {
        let seconds = Int(Membership.duration.seconds)
        let time = KubernetesTime.microText(seconds: Clock.unixTime())
        var metadata = ObjectMetadata(name: name, namespace: namespace)
        metadata.labels = [Self.label: seed]
        metadata.annotations = [Self.acknowledged: member.acknowledged.sorted().joined(separator: ",")]
        return Lease(
            metadata,
            spec: Lease.Spec(holderIdentity: member.identity, leaseDurationSeconds: seconds, renewTime: time)
        )
    }

    private static func record(_ lease: Lease) -> Membership.Record? {
        guard let identity = lease.spec?.holderIdentity, !identity.isEmpty else { return nil }
        let acknowledged = (lease.metadata.annotations?[acknowledged] ?? "").split(separator: ",").map(String.init)
        return Membership.Record(
            identity: identity,
            version: lease.metadata.resourceVersion ?? "",
            acknowledged: Set(acknowledged)
        )
    }
}
