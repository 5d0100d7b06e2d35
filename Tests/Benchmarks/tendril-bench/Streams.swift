import ArgumentParser
import CTendrilShims
import Glibc
import LinuxSystem
import TendrilCore

/// Connections that may go through a CONNECT proxy on a UNIX socket.
struct Dialling: ParsableArguments {
    @Option(name: .long, help: "ADDRESS:PORT of the target.") var connect: String
    @Option(name: .long, help: "The UNIX socket of a CONNECT proxy on the way.") var through: String?

    /// Connects, and waits for the proxy's answer.
    func dial() throws -> OwnedDescriptor {
        guard let through else {
            let socket = try BenchSocket.connected(connect, .tcp)
            BenchSocket.setNoDelay(socket.rawValue)
            return socket
        }
        guard let address = SocketAddress(path: through) else { throw SystemError("use \(through)", code: EINVAL) }
        let socket = try address.connectBlocking()
        let request = Array("CONNECT \(connect) HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".utf8)
        var answer = [UInt8](repeating: 0, count: 4096)
        guard send(socket.rawValue, request, request.count, CInt(MSG_NOSIGNAL)) == request.count,
            case let count = recv(socket.rawValue, &answer, answer.count, 0), count > 12,
            answer[9..<12].elementsEqual("200".utf8)
        else { throw SystemError("connect through \(through)", code: ECONNREFUSED) }
        return socket
    }
}

/// Sends or swallows bytes, as the first byte of a connection asks: `D` down to the client, `U` up from it.
struct BulkServerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "bulk-server")

    @Option(name: .long) var listen: String

    func run() throws {
        let listener = try BenchSocket.bound(listen, .tcp)
        Glibc.listen(listener.rawValue, 512)
        while true {
            let descriptor = accept(listener.rawValue, nil, nil)
            guard descriptor >= 0 else { continue }
            let thread = try WorkerThread(name: "bulk") { Self.serve(descriptor) }
            thread.detach()
        }
    }

    private static func serve(_ descriptor: CInt) {
        let owned = OwnedDescriptor(owning: descriptor)
        var bytes = [UInt8](repeating: 0x42, count: 256 * 1024)
        guard recv(owned.rawValue, &bytes, 1, 0) == 1 else { return }
        if bytes[0] == UInt8(ascii: "D") {
            while send(owned.rawValue, bytes, bytes.count, CInt(MSG_NOSIGNAL)) > 0 {}
        } else {
            while recv(owned.rawValue, &bytes, bytes.count, 0) > 0 {}
        }
    }
}

/// Moves bytes over some streams for a time; tells how many.
struct BulkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "bulk")

    @OptionGroup var dialling: Dialling
    @Option(name: .long) var streams = 1
    @Option(name: .long) var seconds = 1.0
    @Flag(name: .long, help: "From the client to the target.") var up = false
    @Flag(name: .long, help: "Ask for bytes and never read them.") var stalled = false

    func run() throws {
        let counts = AtomicWords(count: streams)
        let end = Clock.now() + Nanoseconds(UInt64(seconds * 1e9))
        let isUp = up
        let isStalled = stalled
        for index in 0..<streams {
            let socket = try dialling.dial()
            let descriptor = dup(socket.rawValue)
            let thread = try WorkerThread(name: "bulk-\(index)") {
                Self.move(descriptor, isUp: isUp, isStalled: isStalled) { counts.add(UInt64($0), at: index) }
            }
            thread.detach()
        }
        let begin = Clock.now()
        let skipped = (0..<streams).reduce(UInt64(0)) { $0 + counts.load($1) }
        while Clock.now() < end { usleep(10_000) }
        let bytes = (0..<streams).reduce(UInt64(0)) { $0 + counts.load($1) } - skipped
        let time = Figures.microseconds(since: begin) / 1e6
        Figures.show([("gbit", Double(bytes) * 8 / time / 1e9), ("bytes", Double(bytes))])
        // Threads that wait for a peer do not keep the program.
        _exit(0)
    }

    private static func move(_ descriptor: CInt, isUp: Bool, isStalled: Bool, _ note: (Int) -> Void) {
        var bytes = [UInt8](repeating: UInt8(ascii: isUp ? "U" : "D"), count: 256 * 1024)
        guard send(descriptor, bytes, 1, CInt(MSG_NOSIGNAL)) == 1 else { return }
        if isStalled { while true { sleep(1000) } }
        while true {
            let count =
                isUp
                ? send(descriptor, bytes, bytes.count, CInt(MSG_NOSIGNAL))
                : recv(descriptor, &bytes, bytes.count, 0)
            guard count > 0 else { return }
            note(count)
        }
    }
}

/// Opens many streams and leaves them alone until it is ended.
struct IdleStreamsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "idle-streams")

    @OptionGroup var dialling: Dialling
    @Option(name: .long) var count = 1000

    func run() throws {
        _ = Privileges.raiseDescriptorLimit()
        var kept: [CInt] = []
        var byte: UInt8 = 1
        for _ in 0..<count {
            let socket = try dialling.dial()
            // One byte there and back, so that all of it was in use once.
            guard send(socket.rawValue, &byte, 1, CInt(MSG_NOSIGNAL)) == 1, recv(socket.rawValue, &byte, 1, 0) == 1
            else { throw SystemError("use a stream", code: ECONNRESET) }
            kept.append(dup(socket.rawValue))
        }
        Figures.show([("count", Double(kept.count))])
        while true { sleep(1000) }
    }
}

/// A CONNECT proxy on a UNIX socket that does nothing else: two threads a connection, 256 KiB at a time.
struct ConnectProxyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "connect-proxy")

    @Option(name: .long) var listen: String

    func run() throws {
        let local = try LocalListener(path: listen, mode: 0o600)
        let number = local.socket.rawDescriptor
        let flags = fcntl(number, F_GETFL)
        _ = fcntl(number, F_SETFL, flags & ~O_NONBLOCK)
        while true {
            let descriptor = accept(number, nil, nil)
            guard descriptor >= 0 else { continue }
            let thread = try WorkerThread(name: "proxy") { Self.serve(descriptor) }
            thread.detach()
        }
    }

    private static func serve(_ descriptor: CInt) {
        var head = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &head, head.count, 0)
        let words = String(decoding: head.prefix(max(count, 0)), as: UTF8.self).split(separator: " ")
        guard words.count > 2, let socket = try? BenchSocket.connected(String(words[1]), .tcp) else {
            close(descriptor)
            return
        }
        BenchSocket.setNoDelay(socket.rawValue)
        let answer = Array("HTTP/1.1 200 OK\r\n\r\n".utf8)
        _ = send(descriptor, answer, answer.count, CInt(MSG_NOSIGNAL))
        let other = dup(socket.rawValue)
        let thread = try? WorkerThread(name: "proxy-up") { pump(from: descriptor, to: other) }
        pump(from: other, to: descriptor)
        if let thread { thread.join() }
        close(descriptor)
        close(other)
    }

    private static func pump(from source: CInt, to sink: CInt) {
        var bytes = [UInt8](repeating: 0, count: 256 * 1024)
        while case let count = recv(source, &bytes, bytes.count, 0), count > 0 {
            var sent = 0
            while sent < count {
                let result = bytes.withUnsafeBytes {
                    send(sink, $0.baseAddress.map { $0 + sent }, count - sent, CInt(MSG_NOSIGNAL))
                }
                guard result > 0 else { return }
                sent += result
            }
        }
        shutdown(sink, CInt(SHUT_WR))
    }
}
