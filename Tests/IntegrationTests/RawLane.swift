import CTendrilShims
import Foundation
import Glibc
import LinuxSystem
import TLSEngine
import TendrilCore
import TunnelProtocol

/// A client of a lab's server that has certificate and gate key, and says what it likes.
final class RawClient {
    private let context: TLSContext
    private let lab: Lab
    private let server: SocketAddress

    /// Makes a client with the lab's gate key.
    init(_ lab: Lab, _ credentials: Credentials) throws {
        let gate = try GateKeys(file: try DurableFile.read("\(lab.directory)/pki/gate.key"))
        context = try TLSContext(credentials, role: .client, ciphers: [.aes128]) { random in
            GateToken(random: random, unixTime: Clock.unixTime(), authenticate: gate.authenticate).payload
        }
        self.lab = lab
        guard let address = IPAddress("192.0.2.1") else { throw LabError("no address") }
        server = SocketAddress(address, port: 8132)
    }

    /// Connects from the shoot and shakes hands.
    func connect() throws -> RawLane {
        let server = self.server
        let descriptor = try Namespace.within(lab.handle("shoot")) {
            let socket = try server.connectBlocking()
            return fcntl(socket.rawValue, F_DUPFD_CLOEXEC, 0)
        }
        let lane = RawLane(OwnedDescriptor(owning: descriptor), try TLSSession(context: context))
        try lane.shakeHands()
        return lane
    }

    /// Connects, and is linked.
    func link() throws -> RawLane {
        let lane = try connect()
        let hello = Hello(
            session: UInt128.random(in: .min ... .max),
            lane: 0,
            lanes: 1,
            mtu: 1500,
            features: [.segmentation, .datagramSegmentation, .packets],
            addresses: [],
            networks: [],
            software: "test"
        )
        try lane.send(RawLane.frame(FrameHeader.Kind.hello.rawValue, hello.payload))
        guard try lane.receive().first == FrameHeader.Kind.hello.rawValue else { throw LabError("no hello") }
        return lane
    }
}

/// A connection of such a client, on which nothing is waited for longer than twenty seconds.
final class RawLane {
    private let socket: OwnedDescriptor
    private var session: TLSSession
    private var incoming = FlatBuffer(capacity: 64 * 1024)
    private var plaintext = FlatBuffer(capacity: 256 * 1024)
    private var outgoing = FlatBuffer(capacity: 128 * 1024)

    fileprivate init(_ socket: consuming OwnedDescriptor, _ session: consuming TLSSession) {
        self.socket = socket
        self.session = session
        var time = timeval(tv_sec: 20, tv_usec: 0)
        let length = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(self.socket.rawValue, SOL_SOCKET, SO_RCVTIMEO, &time, length)
        setsockopt(self.socket.rawValue, SOL_SOCKET, SO_SNDTIMEO, &time, length)
    }

    fileprivate func shakeHands() throws {
        while try session.handshake(&incoming, &outgoing) != .done {
            try flush()
            guard try fetch() else { throw LabError("no handshake") }
        }
        try flush()
    }

    /// A frame around a payload, whatever its type and length.
    static func frame(_ kind: UInt8, _ payload: [UInt8]) -> [UInt8] {
        [kind, UInt8(payload.count >> 16 & 0xFF), UInt8(payload.count >> 8 & 0xFF), UInt8(payload.count & 0xFF)]
            + payload
    }

    /// Sends bytes within TLS.
    func send(_ bytes: [UInt8]) throws {
        var offset = 0
        while offset < bytes.count {
            let piece = Array(bytes[offset..<min(offset + 60_000, bytes.count)])
            try session.encrypt(piece.span.bytes, into: &outgoing)
            try flush()
            offset += piece.count
        }
    }

    /// The bytes that have come since, at least one; none at the end.
    func receive() throws -> [UInt8] {
        while true {
            _ = try session.decrypt(&incoming, into: &plaintext, reply: &outgoing)
            let bytes = plaintext.copied
            plaintext.clear()
            guard bytes.isEmpty else { return bytes }
            guard try fetch() else { return [] }
        }
    }

    /// Waits until the server has closed the connection; what it says before does not matter.
    func awaitEnd() throws { while try fetch() { incoming.clear() } }

    /// Reads once; returns whether the connection goes on.
    private func fetch() throws -> Bool {
        incoming.compact()
        let count = recv(socket.rawValue, incoming.writePointer, incoming.room, 0)
        guard count >= 0 || errno != EAGAIN else { throw LabError("nothing came for twenty seconds") }
        // Also one that was reset, for the server had not read all.
        guard count > 0 else { return false }
        incoming.produced(count)
        return true
    }

    private func flush() throws {
        while !outgoing.isEmpty {
            let count = Glibc.send(socket.rawValue, outgoing.readPointer, outgoing.count, CInt(MSG_NOSIGNAL))
            guard count > 0 else { throw LabError("send: \(String(cString: strerror(errno)))") }
            outgoing.consumed(count)
        }
    }
}
