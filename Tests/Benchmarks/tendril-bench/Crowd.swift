import ArgumentParser
import Glibc
import LinuxSystem
import TLSEngine
import TendrilCore
import TunnelProtocol

/// Many clients of one server in one process: each links, answers heartbeats, and links again when it is cut off.
///
/// A line tells each time that all of them are linked, and how long that took since the first one was not.
struct CrowdCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "crowd")

    @Option(name: .long) var pki: String
    @Option(name: .long) var connect: String
    @Option(name: .long, help: "Clients are called c0, c1 and so on.") var count = 1000

    func run() throws {
        _ = Privileges.raiseDescriptorLimit()
        let address = try BenchSocket.address(connect)
        let gate = try GateKeys(file: try DurableFile.read("\(pki)/gate.key"))
        let authorities = try DurableFile.read("\(pki)/ca.crt")
        let poller = try Poller()
        let guests = try (0..<count).map { index in
            let credentials = Credentials(
                authorities: authorities,
                certificate: try DurableFile.read("\(pki)/c\(index).crt"),
                key: Secret(try DurableFile.read("\(pki)/c\(index).key"))
            )
            let stamp: @Sendable ([UInt8]) -> [UInt8] = { random in
                GateToken(random: random, unixTime: Clock.unixTime(), authenticate: gate.authenticate).payload
            }
            return try Guest(credentials, stamp, address, token: UInt64(index))
        }
        var since: MonotonicTime? = Clock.now()
        while true {
            for guest in guests { guest.dialIfDue(poller) }
            poller.wait(milliseconds: 20) { token, _ in
                guard token < guests.count else { return }
                guests[Int(token)].advance(poller)
            }
            let linked = guests.count { $0.isLinked }
            if linked < guests.count {
                since = since ?? Clock.now()
            } else if let start = since {
                since = nil
                Figures.show([("linked", Double(linked)), ("ms", Figures.microseconds(since: start) / 1000)])
            }
        }
    }
}

/// One client.
private final class Guest {
    private let context: TLSContext
    private let address: SocketAddress
    private let token: UInt64
    private var socket: StreamSocket?
    private var session: TLSSession?
    private var incoming = FlatBuffer(capacity: 32 * 1024)
    private var plaintext = FlatBuffer(capacity: 32 * 1024)
    private var outgoing = FlatBuffer(capacity: 32 * 1024)
    private var dialAt = MonotonicTime(nanoseconds: 0)
    private var hasGreeted = false
    private(set) var isLinked = false

    init(
        _ credentials: Credentials,
        _ stamp: @escaping @Sendable ([UInt8]) -> [UInt8],
        _ address: SocketAddress,
        token: UInt64
    ) throws {
        context = try TLSContext(credentials, role: .client, ciphers: [.aes128], stamp: stamp)
        (self.address, self.token) = (address, token)
    }

    func dialIfDue(_ poller: borrowing Poller) {
        let now = Clock.now()
        guard session == nil, now >= dialAt else { return }
        do {
            let socket = try StreamSocket(connectingTo: address)
            session = try TLSSession(context: context)
            try poller.watch(socket.rawDescriptor, for: [.readable, .writable, .edge], token: token)
            self.socket = consume socket
        } catch {
            leave()
        }
    }

    func advance(_ poller: borrowing Poller) {
        do {
            repeat {
                if !hasGreeted {
                    guard try session?.handshake(&incoming, &outgoing) == .done else {
                        flush()
                        continue
                    }
                    try say(.hello, hello.payload)
                    hasGreeted = true
                }
                _ = try session?.decrypt(&incoming, into: &plaintext, reply: &outgoing)
                try answer()
                flush()
            } while try receive()
        } catch {
            leave()
        }
    }

    private var hello: Hello {
        Hello(
            session: UInt128.random(in: .min ... .max),
            lane: 0,
            lanes: 1,
            mtu: 1500,
            features: [.streams],
            addresses: [],
            networks: [],
            software: "crowd"
        )
    }

    /// Answers every frame that has arrived whole.
    private func answer() throws {
        while plaintext.count >= FrameHeader.byteCount {
            let bytes = plaintext.copied
            let header = try FrameHeader(bytes.span)
            let total = FrameHeader.byteCount + header.length
            guard bytes.count >= total else { break }
            plaintext.consumed(total)
            switch header.kind {
            case .hello:
                isLinked = true
                try say(.streamResume, [1])
            case .heartbeat: try say(.echo, Array(bytes[FrameHeader.byteCount..<total]))
            default: break
            }
        }
        plaintext.compact()
    }

    private func say(_ kind: FrameHeader.Kind, _ payload: [UInt8]) throws {
        var frame = FlatBuffer(capacity: FrameHeader.byteCount + payload.count + 1)
        frame.fill(FrameHeader.byteCount) { FrameHeader(kind: kind, length: payload.count).write(to: &$0) }
        for byte in payload { frame.append(byte) }
        let bytes = frame.copied
        try session?.encrypt(bytes.span.bytes, into: &outgoing)
    }

    private func flush() {
        guard !outgoing.isEmpty else { return }
        _ = socket?.send(from: &outgoing)
    }

    /// Whether anything came.
    private func receive() throws -> Bool {
        incoming.compact()
        let result: Transfer
        switch socket {
        case .some(let socket): result = socket.receive(into: &incoming)
        case .none: return false
        }
        switch result {
        case .bytes: return true
        case .wouldBlock: return false
        case .ended, .failed: throw SystemError("receive", code: ECONNRESET)
        }
    }

    private func leave() {
        socket = nil
        session = nil
        (hasGreeted, isLinked) = (false, false)
        incoming.clear()
        plaintext.clear()
        outgoing.clear()
        dialAt = Clock.now() + .milliseconds(UInt64.random(in: 100...300))
    }
}
