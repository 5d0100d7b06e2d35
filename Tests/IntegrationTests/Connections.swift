import CTendrilShims
import Foundation
import LinuxSystem
import TendrilCore

/// A connection of a test, which never waits for longer than twenty seconds.
class Connection: @unchecked Sendable {
    private let socket: OwnedDescriptor

    init(_ socket: consuming OwnedDescriptor) {
        self.socket = socket
        var time = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(self.socket.rawValue, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    }

    func send(_ bytes: [UInt8]) throws {
        guard Glibc.send(socket.rawValue, bytes, bytes.count, CInt(MSG_NOSIGNAL)) == bytes.count else {
            throw LabError("send: \(String(cString: strerror(errno)))")
        }
    }

    /// Receives so many bytes; fewer at the end.
    func receive(_ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let result = bytes.withUnsafeMutableBytes {
                recv(socket.rawValue, $0.baseAddress.map { $0 + filled }, count - filled, 0)
            }
            guard result >= 0 else { throw LabError("receive: \(String(cString: strerror(errno)))") }
            if result == 0 { break }
            filled += result
        }
        return Array(bytes.prefix(filled))
    }

    /// Sends bytes that are to come back.
    func exchange(_ bytes: [UInt8]) throws {
        try send(bytes)
        guard try receive(bytes.count) == bytes else { throw LabError("other bytes") }
    }

    func endSending() { shutdown(socket.rawValue, CInt(SHUT_WR)) }

    /// What is there already of an answer's head.
    fileprivate func receiveHead() -> String {
        var head = [UInt8](repeating: 0, count: 4096)
        let count = recv(socket.rawValue, &head, head.count, 0)
        return String(decoding: head.prefix(max(count, 0)), as: UTF8.self)
    }
}

/// A connection through an egress socket.
final class EgressSocket: Connection, @unchecked Sendable {
    /// The status line; empty before there is an answer.
    private(set) var line = ""

    /// Asks for a target; an answer other than 200 is thrown.
    convenience init(_ path: String, _ target: String) throws {
        try self.init(asking: path, target)
        try awaitAnswer()
        guard line.hasPrefix("HTTP/1.1 200") else { throw LabError(line) }
    }

    /// Connects and asks for nothing.
    init(connectingTo path: String) throws {
        guard let address = SocketAddress(path: path) else { throw LabError("no path: \(path)") }
        super.init(try address.connectBlocking())
    }

    /// Asks for a target, and waits for nothing.
    convenience init(asking path: String, _ target: String) throws {
        try self.init(connectingTo: path)
        try send(Array("CONNECT \(target) HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".utf8))
    }

    /// The status line that a request for a target is answered with.
    static func answer(_ path: String, _ target: String) -> String {
        do {
            let socket = try EgressSocket(asking: path, target)
            try socket.awaitAnswer()
            return socket.line
        } catch {
            return "\(error)"
        }
    }

    private func awaitAnswer() throws {
        // kube-apiserver takes bytes behind the head for an error: there must be none.
        let text = receiveHead()
        guard text.hasSuffix("\r\n\r\n") else { throw LabError("no head: \(text)") }
        line = text.components(separatedBy: "\r\n")[0]
    }
}

/// A pod's connection to where the API server is said to be.
final class PodSocket: Connection, @unchecked Sendable {
    /// Connects from the namespace that `handle` shows.
    init(_ handle: String, _ endpoint: String) throws {
        guard let endpoint = Endpoint(endpoint), let address = IPAddress(endpoint.host) else {
            throw LabError("no address: \(endpoint)")
        }
        let target = SocketAddress(address, port: endpoint.port)
        let descriptor = try Namespace.within(handle) {
            let socket = try target.connectBlocking()
            return fcntl(socket.rawValue, F_DUPFD_CLOEXEC, 0)
        }
        super.init(OwnedDescriptor(owning: descriptor))
    }
}
