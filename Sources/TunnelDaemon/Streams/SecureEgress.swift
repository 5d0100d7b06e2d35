import CLibeventTLS
import Glibc
import LinuxSystem
import Logging
import Observability
import TLSEngine
import TendrilCore
import TunnelProtocol

/// The egress socket over TLS, for a kube-apiserver that is not beside this program: who shows a certificate of the named
/// CAs is led to the socket, and there all is as it is for others.
///
/// All of it happens on one thread of its own.
final class SecureEgress: @unchecked Sendable {
    /// How long a visitor may take to show a certificate, whatever it sends meanwhile.
    private static let patience = Nanoseconds.seconds(5)
    /// Connections that have not shown a certificate yet.
    private static let maximumVisitors = 256

    private let settings: VPNConfiguration.EgressOverTLS
    private let door: SocketAddress
    private let socket: StreamSocket
    private let logger: Logger
    private let base: OpaquePointer
    private var listener: OpaquePointer?
    private var sessions: (stamps: [FileStamp?], value: ServerSessions)
    private var visitors = WaitingRoom<Visitor>(
        capacity: SecureEgress.maximumVisitors,
        patience: SecureEgress.patience
    )
    private var visitorCount: UInt64 = 0
    /// Goes off when the oldest visitor's time may be up; at rest while there is none.
    private var timer: OpaquePointer?
    private var isTimerSet = false
    private var relays: [ObjectIdentifier: Relay] = [:]
    private var limiter = LogLimiter()

    /// Reads the files, and listens; nobody is answered before `start`.
    ///
    /// - Parameters:
    ///   - settings: what is shown, and who is believed.
    ///   - path: of the egress socket.
    ///   - logger: hears of those who were refused.
    /// - Throws: where a file is wrong, or the address cannot be used.
    init(_ settings: VPNConfiguration.EgressOverTLS, leadingTo path: String, logger: Logger) throws {
        guard let door = SocketAddress(path: path), let base = event_base_new() else {
            throw SystemError("serve the egress socket \(path) over TLS", code: EINVAL)
        }
        (self.settings, self.door, self.logger, self.base) = (settings, door, logger, base)
        sessions = try Self.load(settings)
        socket = try StreamSocket.listening(at: settings.listen)
    }

    deinit {
        if let timer { event_free(timer) }
        event_base_free(base)
    }

    /// Loads the files, to find mistakes without running.
    static func check(_ settings: VPNConfiguration.EgressOverTLS) throws { _ = try load(settings) }

    /// Serves on a thread of its own until the process ends.
    func start() throws {
        try WorkerThread(name: "egress") { self.serve() }.detach()
        logger.notice("egress over TLS", metadata: ["address": "\(settings.listen)"])
    }

    private func serve() {
        let context = UnsafeMutableRawPointer(to: self)
        let accept: evconnlistener_cb = { _, descriptor, _, _, context in
            context?.object(SecureEgress.self).accept(descriptor)
        }
        listener = evconnlistener_new(base, accept, context, LEV_OPT_CLOSE_ON_EXEC, -1, socket.rawDescriptor)
        guard let listener else { return logger.critical("nobody listens for egress over TLS") }
        // Out of descriptors: libevent would call again at once, and for ever.
        evconnlistener_set_error_cb(listener) { _, _ in usleep(50_000) }
        let late: event_callback_fn = { _, _, context in context?.object(SecureEgress.self).dismissLate() }
        timer = event_new(base, -1, 0, late, context)
        withExtendedLifetime(self) { _ = event_base_dispatch(base) }
    }

    private static func stamps(_ settings: VPNConfiguration.EgressOverTLS) -> [FileStamp?] {
        [settings.certificate, settings.key, settings.authority].map(FileStamp.init)
    }

    private static func load(
        _ settings: VPNConfiguration.EgressOverTLS
    ) throws -> (stamps: [FileStamp?], value: ServerSessions) {
        let stamps = stamps(settings)
        let sessions = try ServerSessions(
            certificate: try DurableFile.read(settings.certificate),
            key: Secret(try DurableFile.read(settings.key)),
            clients: try DurableFile.read(settings.authority)
        )
        return (stamps, sessions)
    }

    /// The files as they are now; what was there before where they cannot be used.
    private func currentSessions() -> ServerSessions {
        guard Self.stamps(settings) != sessions.stamps else { return sessions.value }
        do {
            sessions = try Self.load(settings)
        } catch {
            say("cannot use the certificates of egress over TLS", "\(error)")
        }
        return sessions.value
    }

    private func accept(_ descriptor: CInt) {
        StreamSocket.tuneForStream(descriptor)
        let options = CInt(BEV_OPT_CLOSE_ON_FREE.rawValue)
        guard let session = currentSessions().make() else {
            close(descriptor)
            return
        }
        guard
            let events = bufferevent_openssl_socket_new(base, descriptor, session, BUFFEREVENT_SSL_ACCEPTING, options)
        else {
            ServerSessions.discard(session)
            close(descriptor)
            return
        }
        visitorCount += 1
        let visitor = Visitor(visitorCount, events, self)
        if let oldest = visitors.enter(visitor, as: visitorCount, at: Clock.now()) {
            visitors[oldest]?.dismiss("too many are at the door")
        }
        watchTime()
        let told: bufferevent_event_cb = { _, what, context in context?.object(Visitor.self).told(what) }
        bufferevent_setcb(events, nil, nil, told, UnsafeMutableRawPointer(to: visitor))
        bufferevent_enable(events, Int16(EV_READ | EV_WRITE))
    }

    /// Has the timer go off when the oldest visitor's time is up.
    private func watchTime() {
        guard !isTimerSet, let timer, let deadline = visitors.deadline() else { return }
        // Not a moment before it.
        var wait = Nanoseconds(deadline.since(Clock.now()).value + 1_000_000).microseconds
        isTimerSet = event_add(timer, &wait) == 0
    }

    private func dismissLate() {
        isTimerSet = false
        let now = Clock.now()
        while let late = visitors.overdue(at: now), let visitor = visitors[late] { visitor.dismiss("it took too long") }
        watchTime()
    }

    private func say(_ kind: String, _ reason: String) {
        limiter.log(kind, ["reason": "\(reason)"], to: logger, at: Clock.now())
    }

    /// A connection that has not shown its certificate yet.
    private final class Visitor {
        private let number: UInt64
        private let events: OpaquePointer
        private unowned let owner: SecureEgress

        init(_ number: UInt64, _ events: OpaquePointer, _ owner: SecureEgress) {
            (self.number, self.events, self.owner) = (number, events, owner)
        }

        func told(_ what: Int16) {
            guard Int32(what) & BEV_EVENT_CONNECTED != 0 else {
                return dismiss(TLSError.text(bufferevent_get_openssl_error(events)))
            }
            guard let own = owner.visitors.leave(number) else { return }
            withExtendedLifetime(own) { owner.lead(events) }
        }

        /// Closes the connection.
        func dismiss(_ reason: String) {
            guard let own = owner.visitors.leave(number) else { return }
            withExtendedLifetime(own) {
                owner.say("nobody is let in at egress over TLS", reason)
                bufferevent_free(events)
            }
        }
    }

    private func lead(_ outer: OpaquePointer) {
        do {
            let socket = try StreamSocket(connectingTo: door)
            guard let inner = bufferevent_socket_new(base, socket.rawDescriptor, 0) else {
                throw SystemError("lead to the egress socket", code: ENOMEM)
            }
            let relay = Relay(outer: outer, inner: inner, socket) { [unowned self] in relays[$0] = nil }
            relays[ObjectIdentifier(relay)] = relay
            relay.start()
        } catch {
            say("the egress socket does not answer", "\(error)")
            bufferevent_free(outer)
        }
    }
}
