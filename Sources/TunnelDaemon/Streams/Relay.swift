import CLibeventTLS
import Glibc
import LinuxSystem
import TLSEngine

/// Two connections that are one: what comes from either goes to the other, in the order in which it came, with each
/// direction's own end.
final class Relay {
    /// As much as one side may be behind the other, in bytes.
    private static let window = 512 * 1024

    private final class Side {
        let events: OpaquePointer
        unowned let relay: Relay
        /// Whether nothing more comes from it.
        var isEnded = false
        /// Whether nothing more goes to it.
        var isShut = false

        init(_ events: OpaquePointer, _ relay: Relay) { (self.events, self.relay) = (events, relay) }

        var unsent: Int { evbuffer_get_length(bufferevent_get_output(events)) }
    }

    private let socket: StreamSocket
    private let events: (outer: OpaquePointer, inner: OpaquePointer)
    private let isOver: (ObjectIdentifier) -> Void
    private lazy var outer = Side(events.outer, self)
    private lazy var inner = Side(events.inner, self)

    /// Takes both connections.
    init(
        outer: OpaquePointer,
        inner: OpaquePointer,
        _ socket: consuming StreamSocket,
        isOver: @escaping (ObjectIdentifier) -> Void
    ) {
        events = (outer, inner)
        self.socket = socket
        self.isOver = isOver
    }

    deinit {
        bufferevent_free(events.outer)
        bufferevent_free(events.inner)
    }

    func start() {
        // Who ends without a word of TLS has ended all the same; nothing here is cut that its own TLS would not notice.
        bufferevent_openssl_set_allow_dirty_shutdown(events.outer, 1)
        for side in [outer, inner] {
            bufferevent_setwatermark(side.events, Int16(EV_WRITE), Self.window / 2, 0)
            bufferevent_setcb(
                side.events,
                { _, context in (context?.object(Side.self)).map { $0.relay.move(from: $0) } },
                { _, context in (context?.object(Side.self)).map { $0.relay.drained($0) } },
                { _, what, context in (context?.object(Side.self)).map { $0.relay.told($0, what) } },
                UnsafeMutableRawPointer(to: side)
            )
            bufferevent_enable(side.events, Int16(EV_READ | EV_WRITE))
        }
        // What came behind the handshake.
        move(from: outer)
    }

    private func other(_ side: Side) -> Side { side === outer ? inner : outer }

    private func move(from side: Side) {
        let target = other(side)
        bufferevent_write_buffer(target.events, bufferevent_get_input(side.events))
        if target.unsent > Self.window { bufferevent_disable(side.events, Int16(EV_READ)) }
    }

    /// Half of what waited for this side is gone.
    private func drained(_ side: Side) {
        let source = other(side)
        if source.isEnded {
            bufferevent_setwatermark(side.events, Int16(EV_WRITE), 0, 0)
            if side.unsent == 0 { shut(side) }
        } else {
            bufferevent_enable(source.events, Int16(EV_READ))
        }
    }

    private func told(_ side: Side, _ what: Int16) {
        guard Int32(what) & BEV_EVENT_EOF != 0 else {
            // A failure of one side is one of both.
            return isOver(ObjectIdentifier(self))
        }
        side.isEnded = true
        move(from: side)
        drained(other(side))
        // Its own direction may go on.
        if !side.isShut { bufferevent_enable(side.events, Int16(EV_WRITE)) }
    }

    private func shut(_ side: Side) {
        guard !side.isShut else { return }
        side.isShut = true
        if side === outer {
            ServerSessions.endSending(bufferevent_openssl_get_ssl(side.events))
        } else {
            shutdown(socket.rawDescriptor, CInt(SHUT_WR))
        }
        if outer.isShut, inner.isShut { isOver(ObjectIdentifier(self)) }
    }
}
