import Glibc
import LinuxSystem
import TendrilCore
import TunnelProtocol

/// How a server's operator reads a client's status: a stream to the service of this name, which every client has.
///
/// Whatever comes was written by the client's machine, and is believed nothing.
enum PeerStatus {
    static let service = StreamTarget.service("status")
    /// What an answer may have at most, in bytes.
    private static let maximumAnswer = 1 << 20

    /// Asks a server's peer socket for the status of the client called `name`.
    ///
    /// - Parameters:
    ///   - name: the client's.
    ///   - path: of the peer socket.
    ///   - patience: how long all of it may take.
    /// - Returns: what it tells.
    /// - Throws: where nobody answers in time, or with what cannot be read.
    static func ask(_ name: String, socket path: String, within patience: Nanoseconds) throws -> StatusReport {
        let body = try body(of: try answer(of: name, socket: path, within: patience))
        do {
            return try StatusReport(json: body)
        } catch {
            // The decoder names what it stumbled over, in the client's words.
            throw PeerStatusError("the answer cannot be read: \(error)")
        }
    }

    private static func answer(of name: String, socket path: String, within patience: Nanoseconds) throws -> [UInt8] {
        let deadline = Clock.now() + patience
        let address = try SocketAddress.local(path)
        let socket: OwnedDescriptor
        do throws(SystemError) {
            socket = try address.connectBlocking(within: patience)
        } catch {
            // A daemon that stands still takes nobody's connection.
            guard error.code != EAGAIN else { throw PeerStatusError("no answer in time") }
            throw error
        }
        func wait(for events: Int32) throws {
            while true {
                let left = deadline.since(Clock.now()).value
                guard left > 0 else { throw PeerStatusError("no answer in time") }
                var wanted = pollfd(fd: socket.rawValue, events: Int16(events), revents: 0)
                if poll(&wanted, 1, CInt(clamping: left / 1_000_000 + 1)) > 0 { return }
            }
        }
        let request = Array("CONNECT \(name):1 HTTP/1.1\r\n\r\n".utf8)
        guard send(socket.rawValue, request, request.count, CInt(MSG_NOSIGNAL)) == request.count else {
            throw SystemError("write to \(path)", code: errno)
        }
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            try wait(for: POLLIN)
            let count = recv(socket.rawValue, &chunk, chunk.count, 0)
            guard count > 0 else { break }
            answer += chunk[..<count]
            guard answer.count <= maximumAnswer else { throw PeerStatusError("the answer has more than 1 MiB") }
        }
        return answer
    }

    /// What stands behind the head of an answer that is no refusal.
    private static func body(of answer: [UInt8]) throws(PeerStatusError) -> [UInt8] {
        guard let end = answer.firstIndex(of: 0x0A), answer.starts(with: Array("HTTP/1.1 ".utf8)) else {
            throw PeerStatusError("the daemon gave no answer")
        }
        let line = String(decoding: answer[9..<end], as: UTF8.self)
        guard line.hasPrefix("200"), let body = answer.firstIndex(of: UInt8(ascii: "{")) else {
            throw PeerStatusError(line.split(separator: "\r").first.map(String.init) ?? line)
        }
        return Array(answer[body...])
    }
}

/// Why a peer's status cannot be had; printable, whoever wrote it.
struct PeerStatusError: Error, CustomStringConvertible {
    let description: String

    init(_ reason: String) { description = PrintableText.make(reason.utf8) }
}
