import ArgumentParser
import Glibc
import LinuxSystem
import TendrilCore

/// Sends small datagrams as fast as it can.
struct BlastCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "blast")

    @Option(name: .long) var connect: String
    @Option(name: .long) var seconds = 1.0
    @Option(name: .long) var size = 64

    func run() throws {
        let socket = try BenchSocket.connected(connect, .udp)
        let bytes = [UInt8](repeating: 0x55, count: size)
        let end = Clock.now() + Nanoseconds(UInt64(seconds * 1e9))
        var sent = 0
        while Clock.now() < end {
            for _ in 0..<64 where send(socket.rawValue, bytes, bytes.count, CInt(MSG_DONTWAIT)) == bytes.count {
                sent += 1
            }
        }
        Figures.show([("sent", Double(sent))])
    }
}

/// Counts datagrams between the first one and the end of the time.
struct SinkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "sink")

    @Option(name: .long) var listen: String
    @Option(name: .long) var seconds = 1.0

    func run() throws {
        let socket = try BenchSocket.bound(listen, .udp)
        var bytes = [UInt8](repeating: 0, count: 65536)
        var size: CInt = 4 << 20
        setsockopt(socket.rawValue, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<CInt>.size))
        BenchSocket.setTimeout(socket.rawValue, milliseconds: 5000)
        guard recv(socket.rawValue, &bytes, bytes.count, 0) > 0 else {
            Figures.show([("per_second", 0)])
            return
        }
        BenchSocket.setTimeout(socket.rawValue, milliseconds: 100)
        let begin = Clock.now()
        let end = begin + Nanoseconds(UInt64(seconds * 1e9))
        var count = 0
        while Clock.now() < end { if recv(socket.rawValue, &bytes, bytes.count, 0) > 0 { count += 1 } }
        Figures.show([("per_second", Double(count) / (Figures.microseconds(since: begin) / 1e6))])
    }
}
