import Glibc
import LinuxSystem
import TLSEngine
import TendrilCore
import Testing
import TunnelDataPlane
import TunnelProtocol

/// A worker whose TUN queue and peer are ends of socket pairs that the test holds.
final class WorkerHarness {
    let worker: Worker
    /// The kernel's side of the TUN queue: one packet with its virtio header a datagram.
    let tun: OwnedDescriptor
    private let reports = Reports()

    /// What the worker reported, from whatever thread.
    final class Reports: @unchecked Sendable {
        var ends: [LaneEnd] = []
        var refusals: [StreamRequest] = []
        var retirements = 0
    }

    /// Makes a worker; one that is not alone is to be made acquainted with the others before its first turn.
    init(
        _ side: PacketSide,
        mergesDatagrams: Bool = false,
        streamRules: StreamRules = StreamRules(),
        index: Int = 0,
        laneMap: LaneMap = LaneMap(),
        isAlone: Bool = true
    ) throws {
        let pair = try Self.socketPair(CInt(SOCK_SEQPACKET.rawValue))
        tun = OwnedDescriptor(owning: pair.0)
        let reports = self.reports
        worker = try Worker(
            index: index,
            laneMap: laneMap,
            tun: TUNQueue(owning: OwnedDescriptor(owning: pair.1), name: "test"),
            mergesDatagrams: mergesDatagrams,
            side: side,
            streamRules: streamRules
        ) { event in
            switch event {
            case .ended(_, let end): reports.ends.append(end)
            case .refused(let request, _, _): reports.refusals.append(request)
            case .retiring: reports.retirements += 1
            default: break
            }
        }
        if isAlone { try worker.join([worker]) }
    }

    /// All workers of one side, one for each lane.
    static func crew(_ count: Int, _ side: PacketSide, _ rules: StreamRules) throws -> [WorkerHarness] {
        let laneMap = LaneMap()
        let crew = try (0..<count).map {
            try WorkerHarness(side, streamRules: rules, index: $0, laneMap: laneMap, isAlone: false)
        }
        for harness in crew { try harness.worker.join(crew.map(\.worker)) }
        return crew
    }

    var ends: [LaneEnd] { reports.ends }

    /// How often it was reported that a peer is about to end.
    var retirements: Int { reports.retirements }

    /// The requests that could not be opened since this was asked last.
    func takeRefusals() -> [StreamRequest] {
        defer { reports.refusals = [] }
        return reports.refusals
    }

    /// Gives the worker one end of a TLS connection as a lane.
    func adopt(
        _ socket: CInt,
        _ session: consuming TLSSession,
        bound: RouteTable<Bool>,
        mtu: Int = 1500,
        expiry: UInt64 = .max,
        link: Int = 0,
        lane: Int = 0,
        generation: UInt64 = 1,
        run: UInt128? = nil,
        counters: LaneCounters = LaneCounters()
    ) {
        let peer = LanePeer(
            link: link,
            lane: lane,
            generation: generation,
            bound: bound,
            mtu: mtu,
            expiry: expiry,
            takesStreams: true,
            run: run
        )
        let lane = Lane(
            StreamSocket(owning: OwnedDescriptor(owning: socket)),
            session,
            peer: peer,
            counters: counters,
            leftover: [],
            unsent: [],
            at: Clock.now()
        )
        worker.mailbox.post(.adopt(lane))
        _ = worker.turn()
    }

    /// Gives the worker a packet as the kernel would.
    func send(_ packet: [UInt8], header: [UInt8] = Array(repeating: 0, count: 10)) {
        let bytes = header + packet
        _ = bytes.withUnsafeBytes { Glibc.send(tun.rawValue, $0.baseAddress, $0.count, CInt(MSG_DONTWAIT)) }
    }

    /// Takes a packet that the worker gave to the kernel, without its virtio header.
    func receive() -> [UInt8]? { receiveWhole().map { Array($0[10...]) } }

    /// Takes a packet that the worker gave to the kernel, with its virtio header.
    func receiveWhole() -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 70_000)
        let count = recv(tun.rawValue, &bytes, bytes.count, CInt(MSG_DONTWAIT))
        return count > 10 ? Array(bytes[..<count]) : nil
    }

    static func socketPair(_ type: CInt) throws -> (CInt, CInt) {
        var ends: [CInt] = [-1, -1]
        let flags = CInt(SOCK_NONBLOCK.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type | flags, 0, &ends) == 0 else { throw SystemError("make a pair", code: errno) }
        for end in ends {
            var size: CInt = 4 << 20
            setsockopt(end, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<CInt>.size))
        }
        return (ends[0], ends[1])
    }
}

/// Two TLS sessions that have shaken hands; each can be taken once.
final class SessionPair {
    private var client: TLSSession?
    private var server: TLSSession?

    init() throws {
        let issuer = try CertificateIssuer(name: "ca", days: 1)
        let authorities = try issuer.authorityPEM()
        var clientSession = try Self.session(.client, issuer, authorities)
        var serverSession = try Self.session(.server, issuer, authorities)
        var toServer = FlatBuffer(capacity: 16384)
        var toClient = FlatBuffer(capacity: 16384)
        for _ in 0..<4 {
            _ = try clientSession.handshake(&toClient, &toServer)
            _ = try serverSession.handshake(&toServer, &toClient)
        }
        client = consume clientSession
        server = consume serverSession
    }

    func takeClient() throws -> TLSSession {
        guard let session = client.take() else { throw SystemError("take a session twice", code: EINVAL) }
        return session
    }

    func takeServer() throws -> TLSSession {
        guard let session = server.take() else { throw SystemError("take a session twice", code: EINVAL) }
        return session
    }

    private static func session(
        _ role: TunnelIdentity.Role,
        _ issuer: borrowing CertificateIssuer,
        _ authorities: [UInt8]
    ) throws -> TLSSession {
        let identity = try #require(TunnelIdentity(cluster: "c", role: role, name: "n"))
        let issued = try issuer.issue(identity, days: 1)
        let credentials = Credentials(authorities: authorities, certificate: issued.certificate, key: issued.key)
        let context = try TLSContext(credentials, role: role, ciphers: [.aes128])
        return try TLSSession(context: context)
    }
}

/// A peer under the test's control: it says what it likes over an authenticated lane.
final class RawPeer {
    private let socket: OwnedDescriptor
    private var session: TLSSession
    private var outgoing = FlatBuffer(capacity: 1 << 20)
    private var incoming = FlatBuffer(capacity: 1 << 20)
    private var plaintext = FlatBuffer(capacity: 1 << 20)

    init(_ socket: CInt, _ session: consuming TLSSession) {
        self.socket = OwnedDescriptor(owning: socket)
        self.session = session
    }

    /// Encrypts bytes; they are sent with the next `flush`.
    func write(_ bytes: [UInt8]) throws {
        var offset = 0
        while offset < bytes.count {
            let end = min(offset + 60_000, bytes.count)
            let chunk = Array(bytes[offset..<end])
            try session.encrypt(chunk.span.bytes, into: &outgoing)
            offset = end
        }
    }

    /// Sends what the socket takes; returns whether all of it is gone.
    func flush() -> Bool {
        guard !outgoing.isEmpty else { return true }
        let count = Glibc.send(socket.rawValue, outgoing.readPointer, outgoing.count, CInt(MSG_DONTWAIT | MSG_NOSIGNAL))
        if count > 0 { outgoing.consumed(count) }
        if outgoing.isEmpty { return true }
        outgoing.compact()
        return false
    }

    /// The frames that have arrived whole.
    func frames() throws -> [(kind: UInt8, payload: [UInt8])] {
        incoming.compact()
        let count = recv(socket.rawValue, incoming.writePointer, incoming.room, CInt(MSG_DONTWAIT))
        if count > 0 { incoming.produced(count) }
        var reply = FlatBuffer(capacity: 4096)
        _ = try session.decrypt(&incoming, into: &plaintext, reply: &reply)
        var bytes = plaintext.copied[...]
        var frames: [(UInt8, [UInt8])] = []
        while bytes.count >= 4 {
            let head = Array(bytes.prefix(4))
            let length = Int(head[1]) << 16 | Int(head[2]) << 8 | Int(head[3])
            guard bytes.count >= 4 + length else { break }
            frames.append((head[0], Array(bytes.dropFirst(4).prefix(length))))
            bytes = bytes.dropFirst(4 + length)
        }
        plaintext.consumed(plaintext.count - bytes.count)
        plaintext.compact()
        return frames
    }

    /// The frame that asks for a stream.
    static func open(_ id: UInt32, _ target: [UInt8], window: UInt32 = 1 << 20) -> [UInt8] {
        frame(32, number(UInt64(id), 4) + number(UInt64(window), 4) + target)
    }

    /// A number as it stands in frames, in so many bytes.
    static func number(_ value: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * (count - 1 - $0))) }
    }

    /// A frame around a payload.
    static func frame(_ kind: UInt8, _ payload: [UInt8]) -> [UInt8] {
        [kind, UInt8(payload.count >> 16 & 0xFF), UInt8(payload.count >> 8 & 0xFF), UInt8(payload.count & 0xFF)]
            + payload
    }
}
