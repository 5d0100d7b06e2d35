import Glibc

/// The sockets that the test's own process has open.
package enum OpenSockets {
    /// How long the kernel waits for answers on connections by IPv4 (TCP_USER_TIMEOUT).
    ///
    /// - Parameter port: the other end's; `nil` for any.
    /// - Returns: in milliseconds, one for each connection.
    package static func limits(to port: UInt16? = nil) -> [CInt] {
        (CInt(0)..<1024).compactMap { descriptor in
            var peer = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let code = withUnsafeMutablePointer(to: &peer) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(descriptor, $0, &length) }
            }
            guard code == 0, peer.sin_family == sa_family_t(AF_INET),
                port.map({ peer.sin_port == $0.bigEndian }) ?? true
            else { return nil }
            var limit: CInt = 0
            length = socklen_t(MemoryLayout<CInt>.size)
            guard getsockopt(descriptor, CInt(IPPROTO_TCP), TCP_USER_TIMEOUT, &limit, &length) == 0 else { return nil }
            return limit
        }
    }
}
