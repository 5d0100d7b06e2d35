import Glibc

/// A TCP listener at a free port of 127.0.0.1.
package final class LoopbackListener: Sendable {
    /// The socket; it is closed when the listener goes.
    package let descriptor: CInt
    package let port: UInt16

    /// Listens; with port 0 where the kernel gives none.
    package init() {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) + listen(descriptor, 8) + getsockname(descriptor, address, &length)
            }
        }
        self.descriptor = descriptor
        port = code == 0 ? UInt16(bigEndian: address.sin_port) : 0
    }

    deinit { close(descriptor) }
}
