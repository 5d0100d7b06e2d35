import LinuxSystem
import Logging
import Observability
import TLSEngine
import TendrilCore
import TunnelProtocol

/// Where clients connect to a server: who shows a gate token is greeted, all others are turned away without a byte.
final class FrontDoor {
    /// TLS handshakes that may be under way at once; their peers hold the gate key.
    private static var maximumGreetings: Int { 256 }
    /// Connections accepted before other work gets its turn.
    private static var acceptsPerTurn: Int { 128 }
    /// How long the door stays shut after strangers came: a flood is met in bulk, not one by one.
    private static var respite: Nanoseconds { .milliseconds(10) }

    private let core: ControlCore
    private let listener: StreamSocket
    private let token: UInt64
    private var doorway: Doorway
    private var latch = DoorLatch(respite: FrontDoor.respite)
    /// Those who were turned away since connections were accepted last.
    private var strangers = 0

    /// Opens.
    ///
    /// - Parameters:
    ///   - core: takes those who are greeted.
    ///   - listener: listens already.
    /// - Throws: `SystemError` where it cannot be watched.
    init(_ core: ControlCore, _ listener: consuming StreamSocket) throws(SystemError) {
        self.core = core
        self.listener = listener
        token = core.takeToken()
        doorway = Doorway(capacity: min(4096, Privileges.raiseDescriptorLimit() / 2))
        try core.poller.watch(self.listener.rawDescriptor, for: .readable, token: token)
    }

    /// Takes an event; whether it was this door's.
    func ready(_ token: UInt64, at now: MonotonicTime) -> Bool {
        if token == self.token {
            accept(at: now)
            return true
        }
        guard let visitor = doorway.visitor(token) else { return false }
        look(at: visitor, token, at: now)
        return true
    }

    /// Looks after what waits; when it next has to.
    func advance(to now: MonotonicTime) -> MonotonicTime? {
        while let token = doorway.overdue(at: now) { dismiss(token, "gate-timeout", at: now) }
        latch.openIfDue(listener.rawDescriptor, token, core, at: now)
        let visitors = doorway.count
        core.board.update { $0.visitors = visitors }
        return latch.opensAt ?? (visitors > 0 ? now + .milliseconds(250) : nil)
    }

    private func accept(at now: MonotonicTime) {
        strangers = 0
        defer { if strangers > 1 { shut(at: now) } }
        for _ in 0..<Self.acceptsPerTurn {
            do throws(SystemError) {
                guard let (descriptor, address) = try listener.accept() else { return }
                let token = core.takeToken()
                if let leaver = doorway.enter(token, descriptor, address, at: now) {
                    dismiss(leaver, "crowded", at: now)
                }
                guard let visitor = doorway.visitor(token) else { continue }
                look(at: visitor, token, at: now)
                // Only one that has not said enough yet is worth watching.
                if doorway.visitor(token) != nil {
                    try core.poller.watch(descriptor, for: [.readable, .edge], token: token)
                }
            } catch {
                core.limiter.log("could not accept", ["reason": "\(error)"], to: core.logger, at: now)
                // Out of descriptors, as a rule: a stranger makes room, and the kernel keeps the rest for a moment.
                if let oldest = doorway.oldest() { dismiss(oldest, "crowded", at: now) }
                shut(at: now)
                return
            }
        }
    }

    private func shut(at now: MonotonicTime) { latch.shut(listener.rawDescriptor, token, core, at: now) }

    private func look(at visitor: Doorway.Visitor, _ token: UInt64, at now: MonotonicTime) {
        switch doorway.inspect(visitor, keys: core.store.current.gate.verify) {
        case .incomplete: return
        case .refused(let refusal): dismiss(token, refusal.map { "gate-\($0.rawValue)" } ?? "gate-closed", at: now)
        case .admitted: greet(token, at: now)
        }
    }

    private func greet(_ token: UInt64, at now: MonotonicTime) {
        guard core.greetingCount < Self.maximumGreetings else {
            dismiss(token, "overloaded", at: now)
            return
        }
        guard let visitor = doorway.leave(token), let socket = visitor.socket.take() else { return }
        core.poller.unwatch(visitor.descriptor)
        socket.tuneForTunnel(deathAfter: 3)
        do {
            if let name = core.congestionControl.name { try socket.setCongestionControl(name) }
            let greeting = try Greeting(accepted: socket, from: visitor.address, identity: core.store.current, at: now)
            core.begin(greeting, at: now)
        } catch {
            core.limiter.log("could not begin TLS", ["reason": "\(error)"], to: core.logger, at: now)
        }
    }

    /// Closes a stranger's connection without a byte.
    private func dismiss(_ token: UInt64, _ result: String, at now: MonotonicTime) {
        guard let visitor = doorway.leave(token) else { return }
        strangers += 1
        core.poller.unwatch(visitor.descriptor)
        core.count(result)
        core.limiter.log(
            "connection turned away",
            ["reason": "\(result)", "peer": "\(visitor.address)"],
            to: core.logger,
            at: now
        )
    }
}
