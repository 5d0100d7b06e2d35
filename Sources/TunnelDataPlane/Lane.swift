package import LinuxSystem
package import TLSEngine
package import TendrilCore
package import TunnelProtocol

/// What a lane's worker must know of the peer.
package struct LanePeer: Sendable {
    /// The link's number on this side.
    package let link: Int
    /// The lane's number within the link.
    package let lane: Int
    /// Tells this connection from earlier ones of the same lane.
    package let generation: UInt64
    /// The networks that the peer may speak for; empty on a client.
    package internal(set) var bound: RouteTable<Bool>
    /// The largest packet in bytes that fits both ends.
    package let mtu: Int
    /// The last second since 1970 at which both certificates are valid.
    package let expiry: UInt64
    package let takesStreams: Bool
    /// Which run of the peer's program it leads to, where that lets streams go from lane to lane.
    package let run: UInt128?

    package init(
        link: Int,
        lane: Int,
        generation: UInt64,
        bound: RouteTable<Bool>,
        mtu: Int,
        expiry: UInt64,
        takesStreams: Bool,
        run: UInt128? = nil
    ) {
        (self.takesStreams, self.run) = (takesStreams, run)
        self.link = link
        self.lane = lane
        self.generation = generation
        self.bound = bound
        self.mtu = mtu
        self.expiry = expiry
    }
}

/// One TLS connection of a link with all that belongs to it.
///
/// Control code builds it after the hello; from then on it belongs to one worker's thread.
package final class Lane: @unchecked Sendable {
    /// Plaintext that is encrypted at once: one TLS record.
    static var recordSize: Int { 16 * 1024 }
    /// Ciphertext that is sent at once; larger falls out of the cache.
    static var sendSize: Int { 64 * 1024 }
    /// After this many bytes the sending key is changed, far below what AES-GCM allows (RFC 8446 section 5.5).
    static var bytesPerKey: Int { 64 << 30 }

    package internal(set) var peer: LanePeer
    package let counters: LaneCounters

    let socket: StreamSocket
    var session: TLSSession
    var machine: LaneMachine
    var queue = FairQueue()
    var limit: QueueLimit
    /// Whose turn it is, that of packets or of streams.
    var share = LaneShare()
    /// Decrypted frames, the first of which may be incomplete.
    var plaintext = FlatBuffer(capacity: 200 * 1024)
    /// Small frames that share a record.
    var batch = FlatBuffer(capacity: recordSize)
    /// Ciphertext on its way to the socket.
    var outgoing = FlatBuffer(capacity: sendSize + PacketPool.largeSize + recordSize + 2 * TLSSession.overhead)

    var roundTripFloor: RoundTripFloor
    var steadyRoundTrip = SteadyRoundTrip()
    /// The streams that it carries, where the peer takes streams.
    var streams: StreamSet?

    /// Whether the socket took less than it was given, so that it is watched for writing.
    var isBlocked = false
    /// Whether a worker has it on its list of lanes with something to send.
    var isPending = false
    var token: UInt64 = 0
    var wasAskedToRenew = false
    /// Whether the peer has said that it is about to end.
    var isRetiring = false
    var bytesUnderKey = 0
    /// What the kernel may hold unsent in bytes; 0 before it was limited.
    var unsentLimit = 0
    var lastReport: (time: MonotonicTime, sent: UInt64, received: UInt64)

    /// Takes over a connection on which both hellos were exchanged.
    ///
    /// - Parameters:
    ///   - socket: the connection.
    ///   - session: its TLS session.
    ///   - peer: what is known of the peer.
    ///   - counters: where the lane counts.
    ///   - leftover: plaintext that came behind the peer's hello.
    ///   - unsent: ciphertext of this side's hello that the socket has not taken yet.
    ///   - now: the moment of the hello.
    package init(
        _ socket: consuming StreamSocket,
        _ session: consuming TLSSession,
        peer: LanePeer,
        counters: LaneCounters,
        leftover: [UInt8],
        unsent: [UInt8],
        at now: MonotonicTime
    ) {
        self.socket = socket
        self.session = session
        self.peer = peer
        self.counters = counters
        machine = LaneMachine(at: now)
        limit = QueueLimit(at: now)
        roundTripFloor = RoundTripFloor(at: now)
        lastReport = (now, 0, 0)
        for byte in leftover { plaintext.append(byte) }
        for byte in unsent { outgoing.append(byte) }
    }

    /// Whether ciphertext can be made now.
    var canEncrypt: Bool { !isBlocked && outgoing.isEmpty }
}

/// Why a lane ended.
package enum LaneEnd: Sendable, CustomStringConvertible {
    /// It was replaced by a newer one and both sides knew.
    case drained
    /// This side ended it.
    case notice(CloseNotice)
    /// The peer ended it and said why.
    case closed(CloseNotice)
    /// The connection ended without a word.
    case disconnected
    case socket(SystemError)
    case tls(TLSError)
    case violation(ProtocolViolation)

    /// Whether the path carried nothing any more, as far as this side can tell.
    package var isSilence: Bool {
        switch self {
        case .notice(let notice), .closed(let notice): notice.reason == .silent
        case .socket(let error): error.isTimeout
        default: false
        }
    }

    /// What the peer is told where this side ends the lane.
    var lastWord: CloseNotice? {
        switch self {
        case .notice(let notice): notice
        case .violation(let violation): CloseNotice(.protocolViolation, violation.rawValue)
        default: nil
        }
    }

    /// Whether the peer's program ended, and all of its streams with it.
    var isPeersEnd: Bool {
        if case .closed(let notice) = self { notice.reason == .shuttingDown } else { false }
    }

    package var description: String {
        switch self {
        case .drained: "drained"
        case .notice(let notice): "\(notice)"
        case .closed(let notice): "closed by the peer: \(notice)"
        case .disconnected: "the peer closed the connection"
        case .socket(let error): "\(error)"
        case .tls(let error): "\(error)"
        case .violation(let violation): "the peer broke the protocol: \(violation.rawValue)"
        }
    }
}
