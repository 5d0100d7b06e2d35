import ArgumentParser
import CTendrilShims
import Glibc
import LinuxSystem
import TendrilCore

/// Echoes TCP and UDP until it is ended.
struct EchoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "echo")

    @Option(name: .long) var listen: String

    func run() throws {
        let datagrams = try BenchSocket.bound(listen, .udp)
        let listener = try BenchSocket.bound(listen, .tcp)
        Glibc.listen(listener.rawValue, 4096)
        let number = datagrams.rawValue
        _ = try WorkerThread(name: "udp-echo") { Self.echoDatagrams(number) }
        while true {
            let descriptor = accept(listener.rawValue, nil, nil)
            guard descriptor >= 0 else { continue }
            BenchSocket.setNoDelay(descriptor)
            let thread = try WorkerThread(name: "tcp-echo") { Self.echoStream(descriptor) }
            thread.detach()
        }
    }

    private static func echoDatagrams(_ number: CInt) {
        var bytes = [UInt8](repeating: 0, count: 2048)
        var storage = sockaddr_storage()
        while true {
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            withUnsafeMutablePointer(to: &storage) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    let count = recvfrom(number, &bytes, bytes.count, 0, address, &length)
                    if count >= 0 { _ = sendto(number, bytes, count, 0, address, length) }
                }
            }
        }
    }

    private static func echoStream(_ descriptor: CInt) {
        let owned = OwnedDescriptor(owning: descriptor)
        var bytes = [UInt8](repeating: 0, count: 2048)
        while case let count = recv(owned.rawValue, &bytes, bytes.count, 0), count > 0 {
            if send(owned.rawValue, bytes, count, CInt(MSG_NOSIGNAL)) != count { return }
        }
    }
}

/// One byte there and back, one at a time: the latency that people feel.
struct RequestResponseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "rr")

    @OptionGroup var dialling: Dialling
    @Option(name: .long) var seconds = 1.0
    @Flag(name: .long) var udp = false

    func run() throws {
        let socket = udp ? try BenchSocket.connected(dialling.connect, .udp) : try dialling.dial()
        BenchSocket.setTimeout(socket.rawValue, milliseconds: 2000)
        var times: [Double] = []
        times.reserveCapacity(1 << 20)
        let begin = Clock.now()
        let end = begin + Nanoseconds(UInt64(seconds * 1e9))
        var byte: UInt8 = 1
        while Clock.now() < end {
            let start = Clock.now()
            guard send(socket.rawValue, &byte, 1, CInt(MSG_NOSIGNAL)) == 1, recv(socket.rawValue, &byte, 1, 0) == 1
            else {
                continue
            }
            times.append(Figures.microseconds(since: start))
            // A pause, so that the prober does not take a core.
            if times.count % 8 == 0 { usleep(200) }
        }
        times.sort()
        Figures.show([
            ("count", Double(times.count)), ("p50_us", Figures.percentile(times, 0.5)),
            ("p99_us", Figures.percentile(times, 0.99)),
        ])
    }
}

/// Connections opened, used for one byte, and closed, one at a time.
struct ConnectionRateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "connections")

    @OptionGroup var dialling: Dialling
    @Option(name: .long) var seconds = 1.0

    func run() throws {
        let begin = Clock.now()
        let end = begin + Nanoseconds(UInt64(seconds * 1e9))
        var times: [Double] = []
        var byte: UInt8 = 1
        while Clock.now() < end {
            let start = Clock.now()
            let socket = try dialling.dial()
            // No TIME_WAIT: ports would run out.
            var option = linger(l_onoff: 1, l_linger: 0)
            setsockopt(socket.rawValue, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
            guard send(socket.rawValue, &byte, 1, CInt(MSG_NOSIGNAL)) == 1, recv(socket.rawValue, &byte, 1, 0) == 1
            else {
                continue
            }
            times.append(Figures.microseconds(since: start))
        }
        let rate = Double(times.count) / (Figures.microseconds(since: begin) / 1e6)
        times.sort()
        Figures.show([("per_second", rate), ("p99_us", Figures.percentile(times, 0.99))])
    }
}

/// Sends a datagram a millisecond until one comes back; tells how long that took.
struct AwaitEchoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "await-echo")

    @Option(name: .long) var connect: String
    @Option(name: .long) var seconds = 10.0

    func run() throws {
        let begin = Clock.now()
        let end = begin + Nanoseconds(UInt64(seconds * 1e9))
        while Clock.now() < end {
            // A socket that saw "unreachable" remembers it: each try has a fresh one.
            if let socket = try? BenchSocket.connected(connect, .udp) {
                BenchSocket.setTimeout(socket.rawValue, milliseconds: 2)
                var byte: UInt8 = 1
                if send(socket.rawValue, &byte, 1, 0) == 1, recv(socket.rawValue, &byte, 1, 0) == 1 {
                    Figures.show([("ms", Figures.microseconds(since: begin) / 1000)])
                    return
                }
            }
            usleep(1000)
        }
        throw SystemError("hear an echo from \(connect)", code: ETIMEDOUT)
    }
}
