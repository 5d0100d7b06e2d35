import Glibc
import LinuxSystem
import TLSEngine
import TendrilCore
import TunnelProtocol

/// A connection from its first byte to both hellos; afterwards it becomes a lane.
final class Greeting {
    /// How far it has come.
    enum Step {
        case underWay
        /// The peer proved who it is and said hello.
        case introduced(Introduction)
        case failed(Failure)
    }

    /// Who the peer is, by its certificate, and what it says.
    struct Introduction {
        let identity: TunnelIdentity
        let certificate: PeerCertificate
        let hello: Hello
    }

    /// Why no lane came of it.
    struct Failure: Error {
        /// The `result` label of the metric.
        let result: String
        let reason: String
        /// Whether the path carried nothing any more once TCP stood, as far as this side can tell.
        var isSilence = false
    }

    private enum Phase { case connecting, handshake, hello, confirmation }

    /// How long it may take in all.
    static var patience: Nanoseconds { .seconds(5) }
    /// An end this long after TCP stood is no answer to what was said: one side gave up waiting for segments, which its kernel
    /// and the server's door do after 3 s.
    private static var silence: Nanoseconds { .milliseconds(2500) }

    let deadline: MonotonicTime
    let address: SocketAddress
    /// On a client: which lane of which link is being dialled.
    let target: (link: Int, lane: Int)?
    /// On a client: whether the connection is made with small segments.
    let isNarrow: Bool
    let identity: Identity
    var token: UInt64 = 0

    private let ownHello: Hello?
    private let congestionControl: String?
    private var socket: StreamSocket?
    private var session: TLSSession?
    private var phase: Phase
    /// On a client: since when TCP stands.
    private var connectedAt: MonotonicTime?
    private var incoming = FlatBuffer(capacity: 16 * 1024)
    private var plaintext = FlatBuffer(capacity: 48 * 1024)
    private var outgoing = FlatBuffer(capacity: 32 * 1024)
    private var certificate: PeerCertificate?
    private var unconfirmed: Introduction?

    /// Begins on a server, behind the gate.
    init(
        accepted socket: consuming StreamSocket,
        from address: SocketAddress,
        identity: Identity,
        at now: MonotonicTime
    ) throws(TLSError) {
        session = try TLSSession(context: identity.context)
        self.socket = consume socket
        self.address = address
        self.identity = identity
        target = nil
        isNarrow = false
        ownHello = nil
        congestionControl = nil
        phase = .handshake
        deadline = now + Self.patience
    }

    /// Begins on a client, while the connection is being made.
    init(
        dialling socket: consuming StreamSocket,
        to address: SocketAddress,
        target: (link: Int, lane: Int),
        isNarrow: Bool,
        serverName: String?,
        congestionControl: String?,
        hello: Hello,
        identity: Identity,
        at now: MonotonicTime
    ) throws(TLSError) {
        session = try TLSSession(context: identity.context, serverName: serverName)
        self.socket = consume socket
        self.address = address
        self.identity = identity
        self.target = target
        self.isNarrow = isNarrow
        ownHello = hello
        self.congestionControl = congestionControl
        phase = .connecting
        deadline = now + Self.patience
    }

    /// The descriptor to watch, while there is one.
    var descriptor: CInt? {
        switch socket {
        case .some(let socket): socket.rawDescriptor
        case .none: nil
        }
    }

    /// What it came to where it takes longer than it may.
    var lateness: Failure {
        let reason = "\(address) did not finish its handshake"
        return Failure(result: "timeout", reason: reason, isSilence: connectedAt != nil)
    }

    /// Goes as far as what has arrived allows.
    func advance(at now: MonotonicTime) -> Step {
        do {
            if phase == .connecting {
                guard try finishConnecting() else { return .underWay }
                (phase, connectedAt) = (.handshake, now)
            }
            repeat {
                if phase == .handshake, try shakeHands() { phase = .hello }
                if phase == .hello, let introduction = try readHello() { return .introduced(introduction) }
                if phase == .confirmation, let introduction = try readConfirmation() {
                    return .introduced(introduction)
                }
            } while try receive(at: now)
            return .underWay
        } catch let failure as Failure {
            return .failed(failure)
        } catch let violation as ProtocolViolation {
            try? send(.close, CloseNotice(.protocolViolation, violation.rawValue).bytes)
            return .failed(Failure(result: "protocol", reason: violation.rawValue))
        } catch let error as TLSError {
            return .failed(Failure(result: "tls", reason: error.description))
        } catch {
            return .failed(Failure(result: "connection", reason: "\(error)"))
        }
    }

    /// Whether the peer went on after the hello that answered its own.
    private(set) var isConfirmed = false

    /// Whether the peer has yet to go on.
    var awaitsConfirmation: Bool { phase == .confirmation && !isConfirmed }

    /// Has the peer introduced a second time, once it goes on with the connection instead of closing it.
    func awaitConfirmation(of introduction: Introduction) {
        unconfirmed = introduction
        phase = .confirmation
    }

    /// Sends a frame, as far as the socket takes it at once; a fresh connection always does.
    func send(_ kind: FrameHeader.Kind, _ payload: [UInt8]) throws(TLSError) {
        var frame = FlatBuffer(capacity: FrameHeader.byteCount + max(payload.count, 1))
        frame.fill(FrameHeader.byteCount) { FrameHeader(kind: kind, length: payload.count).write(to: &$0) }
        for byte in payload { frame.append(byte) }
        try encrypt(frame)
        flush()
    }

    /// Gives socket and session away, with what came behind the hello.
    func release() -> (socket: Handover<StreamSocket>, session: Handover<TLSSession>, leftover: [UInt8])? {
        guard let socket = socket.take(), let session = session.take() else { return nil }
        let leftover = plaintext.copied
        return (Handover(socket), Handover(session), leftover)
    }

    /// Ciphertext that the socket has not taken yet.
    var unsent: [UInt8] { outgoing.copied }

    /// What TLS agreed on, for people.
    var parameters: String {
        switch session {
        case .some(let session): session.parameters
        case .none: ""
        }
    }

    private func finishConnecting() throws -> Bool {
        let code = socket?.takeError() ?? ECONNABORTED
        guard code == 0 else {
            throw Failure(result: "connection", reason: "could not connect to \(address): \(SystemError.text(code))")
        }
        // Not before: a route's own choice (ip-route(8), congctl) would replace it while connecting.
        if let congestionControl { try socket?.setCongestionControl(congestionControl) }
        return true
    }

    /// Returns whether the handshake is complete.
    private func shakeHands() throws -> Bool {
        // Also where it fails: the alert tells the peer why.
        defer { flush() }
        let progress = try session?.handshake(&incoming, &outgoing) ?? .closedByPeer
        switch progress {
        case .done: break
        case .needsCiphertext, .noRoom: return false
        case .closedByPeer: throw Failure(result: "connection", reason: "the peer closed the connection")
        }
        try checkIdentity()
        if let ownHello { try send(.hello, ownHello.payload) }
        return true
    }

    private func checkIdentity() throws {
        let own = identity.context.identity
        guard let certificate = currentPeer(), let peer = certificate.identity else {
            try refuse("the peer's certificate has no URI name spiffe://<cluster>/vpn/<role>/<name>")
            return
        }
        guard peer.cluster == own.cluster else {
            try refuse("the peer belongs to cluster \(peer.cluster), not \(own.cluster)")
            return
        }
        guard peer.role == own.role.peer else {
            try refuse("the peer is a \(peer.role) like this side")
            return
        }
        self.certificate = certificate
    }

    private func currentPeer() -> PeerCertificate? {
        switch session {
        case .some(let session): session.peer()
        case .none: nil
        }
    }

    private func refuse(_ reason: String) throws {
        try? send(.close, CloseNotice(.wrongIdentity).bytes)
        throw Failure(result: "identity", reason: reason)
    }

    private func readHello() throws -> Introduction? {
        guard let header = try nextHeader(), let payload = takePayload(header) else { return nil }
        switch header.kind {
        case .hello:
            guard let certificate, let peer = certificate.identity else { return nil }
            return Introduction(identity: peer, certificate: certificate, hello: try Hello(payload))
        case .close: throw try Self.refusal(payload)
        default: throw ProtocolViolation.unexpectedFrame
        }
    }

    /// Anything but a close, which stays for the lane to read.
    private func readConfirmation() throws -> Introduction? {
        guard let header = try nextHeader() else { return nil }
        if header.kind == .close {
            guard let payload = takePayload(header) else { return nil }
            throw try Self.refusal(payload)
        }
        isConfirmed = true
        return unconfirmed
    }

    /// Decrypts what has arrived; the header of the next frame, which is not consumed.
    private func nextHeader() throws -> FrameHeader? {
        defer { flush() }
        guard let progress = try session?.decrypt(&incoming, into: &plaintext, reply: &outgoing) else { return nil }
        let bytes = plaintext.copied
        guard bytes.count >= FrameHeader.byteCount else {
            guard progress != .closedByPeer else {
                throw Failure(result: "connection", reason: "the peer closed the connection")
            }
            return nil
        }
        return try FrameHeader(bytes.span)
    }

    /// Consumes the next frame, once all of it has arrived.
    private func takePayload(_ header: FrameHeader) -> [UInt8]? {
        let bytes = plaintext.copied
        let total = FrameHeader.byteCount + header.length
        guard bytes.count >= total else { return nil }
        plaintext.consumed(total)
        return Array(bytes[FrameHeader.byteCount..<total])
    }

    private static func refusal(_ payload: [UInt8]) throws(ProtocolViolation) -> Failure {
        let notice = try CloseNotice(payload.span)
        return Failure(result: "refused", reason: "refused by the peer: \(notice)")
    }

    /// Reads once; returns whether anything came.
    private func receive(at now: MonotonicTime) throws -> Bool {
        incoming.compact()
        guard incoming.room > 0 else { throw Failure(result: "protocol", reason: "too much before the hello") }
        let result: Transfer
        switch socket {
        case .some(let socket): result = socket.receive(into: &incoming)
        case .none: return false
        }
        switch result {
        case .bytes: return true
        case .wouldBlock: return false
        case .ended: throw loss("the peer closed the connection", at: now)
        case .failed(let code): throw loss(SystemError.text(code), at: now)
        }
    }

    private func loss(_ reason: String, at now: MonotonicTime) -> Failure {
        let isSilence = connectedAt.map { now >= $0 + Self.silence } ?? false
        return Failure(result: "connection", reason: reason, isSilence: isSilence)
    }

    private func encrypt(_ frame: borrowing FlatBuffer) throws(TLSError) {
        let bytes = frame.copied
        try session?.encrypt(bytes.span.bytes, into: &outgoing)
    }

    private func flush() {
        guard !outgoing.isEmpty else { return }
        _ = socket?.send(from: &outgoing)
    }
}
