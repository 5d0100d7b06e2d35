package import LinuxSystem
package import TendrilCore
package import TunnelProtocol

/// A connection on this side that is to become a stream.
package final class StreamRequest: @unchecked Sendable {
    /// What the connection expects before its first byte.
    package enum Style: Sendable {
        /// Nothing: it carries bytes from the beginning.
        case plain
        /// It has sent a CONNECT request and waits for the answer (RFC 9110, section 9.3.6).
        case connect
    }

    package let target: StreamTarget
    package let style: Style
    package let arrivedAt: MonotonicTime
    /// Bytes that were read already and belong to the stream.
    private(set) var early: [UInt8] = []
    /// Until when it has to be answered.
    package let deadline: MonotonicTime
    /// The client that was asked for by name.
    package var peer: String?
    /// Links that were tried in vain.
    package private(set) var tried: Set<Int> = []
    /// What was said on the last of them.
    package private(set) var refusal: StreamReset?
    /// The link that went down under it last.
    package var lost: Int?
    private var socket: StreamSocket?

    /// Takes over a connection; it belongs to one thread at a time.
    package init(
        _ socket: consuming StreamSocket,
        to target: StreamTarget,
        style: Style,
        at now: MonotonicTime,
        deadline: MonotonicTime
    ) {
        self.socket = consume socket
        (self.target, self.style) = (target, style)
        (arrivedAt, self.deadline) = (now, deadline)
    }

    /// Whether whoever asked has gone: one that waits for an answer as soon as it sends nothing more.
    package var isAbandoned: Bool {
        switch socket {
        case .some(let socket): SocketPeek.isOver(socket.rawDescriptor, readEndIsEnough: style == .connect)
        case .none: false
        }
    }

    /// Notes that a link was tried in vain.
    package func failed(on link: Int, _ reset: StreamReset) {
        tried.insert(link)
        refusal = reset
    }

    /// Gives the connection away; `nil` the second time.
    package func takeSocket() -> StreamSocket? { socket.take() }

    /// Takes the connection back, to be tried on another path.
    ///
    /// - Parameters:
    ///   - socket: the connection.
    ///   - bytes: what was read of it so far.
    func restore(_ socket: consuming StreamSocket, early bytes: [UInt8]) {
        self.socket = consume socket
        early = bytes
    }
}
