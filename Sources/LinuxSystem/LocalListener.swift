import Glibc

/// A UNIX socket that is listened at, and removed with its owner.
package struct LocalListener: ~Copyable {
    package let socket: StreamSocket
    private let path: String

    /// Listens at a path; a socket there that nobody listens at any more is replaced.
    ///
    /// - Parameters:
    ///   - path: absolute, at most 107 bytes; its directory is made where it is missing.
    ///   - mode: who may connect.
    ///   - backlog: how many connections may wait.
    /// - Throws: `SystemError`, with EADDRINUSE where somebody listens there.
    package init(path: String, mode: UInt32, backlog: CInt = 1024) throws(SystemError) {
        let address = try SocketAddress.local(path)
        if (try? address.connectBlocking()) != nil { throw SystemError("use the socket \(path)", code: EADDRINUSE) }
        let directory = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
        if !directory.isEmpty { mkdir(directory, 0o755) }
        unlink(path)
        let mask = umask(0o777 & ~mode)
        defer { umask(mask) }
        socket = try StreamSocket(listeningAt: address, backlog: backlog)
        self.path = path
    }

    deinit { unlink(path) }
}
