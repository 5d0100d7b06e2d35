import ArgumentParser
import CTendrilShims
import Glibc
import LinuxSystem
import TLSEngine
import TendrilCore

/// The limit: one TLS 1.3 stream in 16 KiB writes, from client to server, nothing else.
struct TLSStreamCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "tls-stream")

    @Option(name: .long) var pki: String
    @Option(name: .long) var listen: String?
    @Option(name: .long) var connect: String?
    @Option(name: .long) var seconds = 1.0

    func run() throws {
        let role: TunnelIdentity.Role = listen == nil ? .client : .server
        let credentials = Credentials(
            authorities: try DurableFile.read("\(pki)/ca.crt"),
            certificate: try DurableFile.read("\(pki)/\(role.rawValue).crt"),
            key: Secret(try DurableFile.read("\(pki)/\(role.rawValue).key"))
        )
        let context = try TLSContext(credentials, role: role, ciphers: [.aes128])
        var session = try TLSSession(context: context)
        let socket = try open()
        var input = FlatBuffer(capacity: 128 * 1024)
        var output = FlatBuffer(capacity: 128 * 1024)
        while try session.handshake(&input, &output) != .done {
            try flush(socket, &output)
            try fill(socket, &input)
        }
        try flush(socket, &output)
        if role == .client {
            try send(&session, socket, &output)
        } else {
            try receive(&session, socket, &input, &output)
        }
    }

    private func open() throws -> OwnedDescriptor {
        if let connect { return try BenchSocket.connected(connect, .tcp) }
        let listener = try BenchSocket.bound(listen ?? "", .tcp)
        Glibc.listen(listener.rawValue, 1)
        let descriptor = accept(listener.rawValue, nil, nil)
        guard descriptor >= 0 else { throw SystemError("accept", code: errno) }
        return OwnedDescriptor(owning: descriptor)
    }

    private func send(_ session: inout TLSSession, _ socket: borrowing OwnedDescriptor, _ output: inout FlatBuffer)
        throws
    {
        let chunk = [UInt8](repeating: 0x42, count: 16 * 1024)
        let end = Clock.now() + Nanoseconds(UInt64(seconds * 1e9))
        while Clock.now() < end {
            try session.encrypt(chunk.span.bytes, into: &output)
            try flush(socket, &output)
        }
    }

    private func receive(
        _ session: inout TLSSession,
        _ socket: borrowing OwnedDescriptor,
        _ input: inout FlatBuffer,
        _ output: inout FlatBuffer
    ) throws {
        var plaintext = FlatBuffer(capacity: 256 * 1024)
        var bytes = 0
        let begin = Clock.now()
        while (try? fill(socket, &input)) != nil {
            _ = try session.decrypt(&input, into: &plaintext, reply: &output)
            bytes += plaintext.count
            plaintext.clear()
        }
        let time = Figures.microseconds(since: begin) / 1e6
        Figures.show([("gbit", Double(bytes) * 8 / time / 1e9), ("bytes", Double(bytes)), ("cpu_s", cpuSeconds())])
    }

    private func cpuSeconds() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(0), &usage)
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }

    private func flush(_ socket: borrowing OwnedDescriptor, _ output: inout FlatBuffer) throws {
        while !output.isEmpty {
            let count = Glibc.send(socket.rawValue, output.readPointer, output.count, CInt(MSG_NOSIGNAL))
            guard count > 0 else { throw SystemError("send", code: errno) }
            output.consumed(count)
        }
    }

    private func fill(_ socket: borrowing OwnedDescriptor, _ input: inout FlatBuffer) throws {
        input.compact()
        let count = recv(socket.rawValue, input.writePointer, input.room, 0)
        guard count > 0 else { throw SystemError("receive", code: errno) }
        input.produced(count)
    }
}
