import ArgumentParser
import CTendrilShims
import Glibc
import LinuxSystem
import TendrilCore

/// Opens connections at a rate and sends garbage on each.
struct FloodCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "flood")

    @Option(name: .long) var connect: String
    @Option(name: .long) var rate = 5000
    @Option(name: .long) var seconds = 1.0

    func run() throws {
        let address = try BenchSocket.address(connect)
        var garbage = [UInt8](repeating: 0xAA, count: 200)
        // Every other one looks like TLS at first.
        let tlsLike: [UInt8] = [22, 3, 1, 0, 195, 1, 0, 0, 191, 3, 3]
        let begin = Clock.now()
        var made = 0
        while case let elapsed = Figures.microseconds(since: begin) / 1e6, elapsed < seconds {
            guard Double(made) < elapsed * Double(rate) else {
                usleep(500)
                continue
            }
            made += 1
            guard let socket = try? address.connectBlocking() else { continue }
            garbage.replaceSubrange(
                0..<tlsLike.count,
                with: made % 2 == 0 ? tlsLike : Array(repeating: 0xAA, count: tlsLike.count)
            )
            _ = send(socket.rawValue, garbage, garbage.count, CInt(MSG_NOSIGNAL) | CInt(MSG_DONTWAIT))
            var option = linger(l_onoff: 1, l_linger: 0)
            setsockopt(socket.rawValue, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        }
        Figures.show([("per_second", Double(made) / seconds)])
    }
}

/// Holds many connections open without sending anything.
struct IdleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "idle")

    @Option(name: .long) var connect: String
    @Option(name: .long) var count = 5000
    @Option(name: .long) var seconds = 2.0

    func run() throws {
        let held = try BenchSocket.crowd(count, at: connect)
        Figures.show([("held", Double(held.count))])
        usleep(UInt32(seconds * 1e6))
        for descriptor in held { close(descriptor) }
    }
}

/// Feeds connections the start of a ClientHello byte by byte, which never comes to its end, until all are closed.
struct DripCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "drip")

    @Option(name: .long) var connect: String
    @Option(name: .long) var count = 500
    @Option(name: .long) var seconds = 8.0

    func run() throws {
        // A record of 4 KiB is announced.
        let start: [UInt8] = [22, 3, 1, 16, 0, 1, 0, 15, 252, 3, 3]
        var open = try BenchSocket.crowd(count, at: connect)
        let held = open.count
        let begin = Clock.now()
        var (sent, answered, lasted) = (0, 0, 0.0)
        while !open.isEmpty, case let elapsed = Figures.microseconds(since: begin) / 1e6, elapsed < seconds {
            let byte = sent < start.count ? start[sent] : 0xAA
            open.removeAll { descriptor in
                answered += Self.answer(on: descriptor)
                guard Self.send(byte, on: descriptor) else {
                    close(descriptor)
                    return true
                }
                return false
            }
            (sent, lasted) = (sent + 1, elapsed)
            usleep(50_000)
        }
        Figures.show([
            ("held", Double(held)), ("open", Double(open.count)), ("answered", Double(answered)), ("lasted", lasted),
        ])
    }

    private static func answer(on descriptor: CInt) -> Int {
        var bytes = [UInt8](repeating: 0, count: 64)
        return max(recv(descriptor, &bytes, bytes.count, CInt(MSG_DONTWAIT)), 0)
    }

    private static func send(_ byte: UInt8, on descriptor: CInt) -> Bool {
        withUnsafeBytes(of: byte) {
            Glibc.send(descriptor, $0.baseAddress, 1, CInt(MSG_NOSIGNAL) | CInt(MSG_DONTWAIT)) == 1
        }
    }
}
