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
        _ = Privileges.raiseDescriptorLimit()
        let address = try BenchSocket.address(connect)
        var held: [CInt] = []
        for _ in 0..<count {
            guard let socket = try? address.connectBlocking() else { continue }
            let copy = dup(socket.rawValue)
            if copy >= 0 { held.append(copy) }
        }
        Figures.show([("held", Double(held.count))])
        usleep(UInt32(seconds * 1e6))
        for descriptor in held { close(descriptor) }
    }
}
