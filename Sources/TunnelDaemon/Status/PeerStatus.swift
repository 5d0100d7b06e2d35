import Glibc
import LinuxSystem
import TendrilCore
import TunnelProtocol

/// How a server's operator reads a client's status: a stream to the service of this name, which every client has.
enum PeerStatus {
    static let service = StreamTarget.service("status")

    /// Asks a server's peer socket for the status of the client called `name`.
    static func ask(_ name: String, socket path: String) throws -> [UInt8] {
        guard let address = SocketAddress(path: path) else {
            throw SystemError("use the socket \(path)", code: ENAMETOOLONG)
        }
        let socket = try address.connectBlocking()
        let request = Array("CONNECT \(name):1 HTTP/1.1\r\n\r\n".utf8)
        guard send(socket.rawValue, request, request.count, CInt(MSG_NOSIGNAL)) == request.count else {
            throw SystemError("write to \(path)", code: errno)
        }
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while case let count = recv(socket.rawValue, &chunk, chunk.count, 0), count > 0 { answer += chunk[..<count] }
        guard let end = answer.firstIndex(of: 0x0A), answer.starts(with: Array("HTTP/1.1 ".utf8)) else {
            throw PeerStatusError(description: "the daemon gave no answer")
        }
        let line = String(decoding: answer[9..<end], as: UTF8.self)
        guard line.hasPrefix("200"), let body = answer.firstIndex(of: UInt8(ascii: "{")) else {
            throw PeerStatusError(description: line.split(separator: "\r").first.map(String.init) ?? line)
        }
        return Array(answer[body...])
    }
}

/// Why a peer's status cannot be had.
struct PeerStatusError: Error, CustomStringConvertible { let description: String }
