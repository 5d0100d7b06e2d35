internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import TendrilCore

/// Lets one coordinator of a seed work at a time: the others wait for its Lease to run out.
final class Leadership: Sendable {
    private let client: KubernetesClient
    private let name: String
    private let namespace: String
    private let identity: String
    private let logger: Logger
    private let machine: Guarded<LeaseMachine>
    /// Until when writes are allowed, in nanoseconds of the monotonic clock.
    private let deadline: Guarded<MonotonicTime>

    init(client: KubernetesClient, name: String, namespace: String, identity: String, logger: Logger) {
        (self.client, self.name, self.namespace) = (client, name, namespace)
        (self.identity, self.logger) = (identity, logger)
        machine = Guarded(LeaseMachine(identity: identity))
        deadline = Guarded(MonotonicTime(nanoseconds: 0))
    }

    /// Whether this process may change anything now: one that was stopped for a while may not, before it has asked.
    var isHeld: Bool { Clock.now() < deadline.withLock { $0 } }

    /// Waits until this process leads.
    func acquire() async {
        var hasWaited = false
        while !Task.isCancelled {
            await attempt()
            if isHeld { return }
            if !hasWaited { logger.notice("another coordinator leads", metadata: ["lease": "\(namespace)/\(name)"]) }
            hasWaited = true
            try? await Task.sleep(nanoseconds: LeaseMachine.period.value)
        }
    }

    /// Keeps the lead; returns when it is lost.
    func keep() async {
        while !Task.isCancelled, isHeld {
            try? await Task.sleep(nanoseconds: LeaseMachine.period.value)
            await attempt()
        }
    }

    /// Gives the lead up, so that another one need not wait.
    func resign() async {
        guard isHeld, var lease = try? await client.find(Lease.self, name, namespace: namespace) else { return }
        deadline.withLock { $0 = MonotonicTime(nanoseconds: 0) }
        lease.spec?.holderIdentity = ""
        _ = try? await client.replace(lease)
    }

    private func attempt() async {
        let begun = Clock.now()
        do throws(APIError) {
            let present = try await client.find(Lease.self, name, namespace: namespace)
            let action = machine.withLock {
                $0.read(
                    holder: present?.spec?.holderIdentity,
                    version: present?.metadata.resourceVersion ?? "",
                    now: Clock.now()
                )
            }
            guard action == .write else { return }
            let time = KubernetesTime.microText(seconds: Clock.unixTime())
            let seconds = Int(LeaseMachine.duration.value / 1_000_000_000)
            let spec = Lease.Spec(holderIdentity: identity, leaseDurationSeconds: seconds, renewTime: time)
            if var lease = present {
                lease.spec = spec
                try await client.replace(lease)
            } else {
                try await client.create(Lease(ObjectMetadata(name: name, namespace: namespace), spec: spec))
            }
            let until = machine.withLock { machine in
                machine.wrote(begun: begun)
                return machine.deadline
            }
            if let until { deadline.withLock { $0 = until } }
        } catch {
            if !error.isConflict { logger.warning("cannot renew the lead", metadata: ["reason": "\(error)"]) }
        }
    }
}
