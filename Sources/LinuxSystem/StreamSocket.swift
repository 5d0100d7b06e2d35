import CTendrilShims
import Glibc
package import TendrilCore

/// A connected, connecting or listening stream socket, never blocking.
package struct StreamSocket: ~Copyable, Sendable {
    private let descriptor: OwnedDescriptor

    /// Takes ownership of a non-blocking stream socket.
    package init(owning descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }

    /// The kernel's number, to be watched and never closed.
    package var rawDescriptor: CInt { descriptor.rawValue }

    /// Begins to connect to `address`; the socket becomes writable when that came to an end.
    ///
    /// - Parameters:
    ///   - address: of any family.
    ///   - segmentLimit: the largest TCP segment in bytes that either side may send; `nil` for what the kernel finds.
    /// - Throws: `SystemError` where it cannot even begin.
    package init(connectingTo address: SocketAddress, segmentLimit: Int? = nil) throws(SystemError) {
        let descriptor = try Self.open(address)
        let number = descriptor.rawValue
        if let segmentLimit {
            _ = tendril_setsockopt_int(number, CInt(IPPROTO_TCP), TCP_MAXSEG, CInt(clamping: segmentLimit))
        }
        let result = address.withPointer { pointer, length in retrying { connect(number, pointer, length) } }
        guard result >= 0 || -result == Int(EINPROGRESS) else {
            throw SystemError("connect to \(address)", code: CInt(-result))
        }
        self.init(owning: descriptor)
    }

    /// Listens at `address`.
    package init(listeningAt address: SocketAddress, backlog: CInt = 1024) throws(SystemError) {
        let descriptor = try Self.open(address)
        let number = descriptor.rawValue
        _ = tendril_setsockopt_int(number, SOL_SOCKET, SO_REUSEADDR, 1)
        let bound = address.withPointer { pointer, length in retrying { bind(number, pointer, length) } }
        guard bound >= 0 else { throw SystemError("listen at \(address)", code: CInt(-bound)) }
        let listening = retrying { listen(number, backlog) }
        guard listening >= 0 else { throw SystemError("listen at \(address)", code: CInt(-listening)) }
        self.init(owning: descriptor)
    }

    /// Listens at an endpoint; without a host at every address, of IPv4 alone where the kernel has no IPv6.
    package static func listening(at endpoint: Endpoint) throws(SystemError) -> StreamSocket {
        guard endpoint.host.isEmpty else {
            let address = try SocketAddress.resolve(endpoint)[0]
            return try StreamSocket(listeningAt: address)
        }
        let everywhere = SocketAddress(IPAddress(v6High: 0, low: 0), port: endpoint.port)
        do throws(SystemError) {
            return try StreamSocket(listeningAt: everywhere)
        } catch {
            guard error.code == EAFNOSUPPORT || error.isNoAddressOfThisHost else { throw error }
            let address = SocketAddress(IPAddress(v4: 0), port: endpoint.port)
            return try StreamSocket(listeningAt: address)
        }
    }

    private static func open(_ address: SocketAddress) throws(SystemError) -> OwnedDescriptor {
        let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        let result = retrying { socket(address.family, type, 0) }
        guard result >= 0 else { throw SystemError("open a socket for \(address)", code: CInt(-result)) }
        return OwnedDescriptor(owning: CInt(result))
    }

    /// Accepts one connection, or returns `nil` when none waits.
    package func accept() throws(SystemError) -> (descriptor: CInt, peer: SocketAddress)? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let number = descriptor.rawValue
        let result = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                tendril_accept(number, address, &length)
            }
        }
        guard result >= 0 else {
            // A connection that died in the queue is no failure of the listener.
            if [EAGAIN, ECONNABORTED, EPROTO, ENETDOWN, EHOSTUNREACH, ENETUNREACH].contains(-result) {
                return nil
            }
            throw SystemError("accept a connection", code: -result)
        }
        return (result, SocketAddress(storage, length: length))
    }

    /// The outcome of connecting, once the socket is writable: 0, or the kernel's number.
    package func takeError() -> CInt {
        var code: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        guard getsockopt(descriptor.rawValue, SOL_SOCKET, SO_ERROR, &code, &length) == 0 else { return errno }
        return code
    }

    /// The local address, which tells a port that the kernel chose.
    package func localAddress() -> SocketAddress? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let number = descriptor.rawValue
        let result = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(number, $0, &length) }
        }
        return result == 0 ? SocketAddress(storage, length: length) : nil
    }

    /// Sends now what is written, and finds a dead path within `seconds`.
    package func tuneForTunnel(deathAfter seconds: CInt) {
        _ = tendril_setsockopt_int(descriptor.rawValue, CInt(IPPROTO_TCP), TCP_NODELAY, 1)
        _ = tendril_setsockopt_int(descriptor.rawValue, CInt(IPPROTO_TCP), TCP_USER_TIMEOUT, seconds * 1000)
    }

    /// Has a connection end whose peer is gone without a word, within about half a minute, whether data waits or not.
    package static func expectAnswers(_ descriptor: CInt) {
        let tcp = CInt(IPPROTO_TCP)
        _ = tendril_setsockopt_int(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1)
        _ = tendril_setsockopt_int(descriptor, tcp, TCP_KEEPIDLE, 10)
        _ = tendril_setsockopt_int(descriptor, tcp, TCP_KEEPINTVL, 3)
        _ = tendril_setsockopt_int(descriptor, tcp, TCP_USER_TIMEOUT, 30_000)
    }

    /// Chooses the congestion control by the kernel's name for it.
    package func setCongestionControl(_ name: String) throws(SystemError) {
        let number = descriptor.rawValue
        let result = name.withCString {
            setsockopt(number, CInt(IPPROTO_TCP), TCP_CONGESTION, $0, socklen_t(name.utf8.count))
        }
        guard result == 0 else { throw SystemError("use the congestion control \(name)", code: errno) }
    }

    /// Limits what stands unsent in the kernel, in bytes (TCP_NOTSENT_LOWAT).
    package func limitUnsent(to bytes: Int) {
        _ = tendril_setsockopt_int(descriptor.rawValue, CInt(IPPROTO_TCP), TCP_NOTSENT_LOWAT, CInt(clamping: bytes))
    }

    /// Segments sent again since the connection began; `nil` if the kernel does not say.
    package var retransmits: UInt64? {
        let count = tendril_tcp_retransmits(descriptor.rawValue)
        return count < 0 ? nil : UInt64(count)
    }

    /// Whether the other end of a UNIX socket has read all that was written; `true` where the kernel does not say.
    package var isReadOut: Bool { tendril_unread(descriptor.rawValue) <= 0 }

    /// Reads into the room of `buffer`.
    @inline(__always)
    package func receive(into buffer: inout FlatBuffer) -> Transfer {
        let result = retrying { recv(descriptor.rawValue, buffer.writePointer, buffer.room, 0) }
        if result > 0 { buffer.produced(result) }
        return Transfer(result, zeroMeansEnd: true)
    }

    /// Sends the front of `buffer`.
    @inline(__always)
    package func send(from buffer: inout FlatBuffer) -> Transfer {
        let result = retrying {
            Glibc.send(descriptor.rawValue, buffer.readPointer, buffer.count, CInt(MSG_NOSIGNAL))
        }
        if result > 0 { buffer.consumed(result) }
        return Transfer(result, zeroMeansEnd: false)
    }

    /// Reads into memory of the caller.
    @inline(__always)
    package func receive(into memory: UnsafeMutableRawBufferPointer) -> Transfer {
        let result = retrying { recv(descriptor.rawValue, memory.baseAddress, memory.count, 0) }
        return Transfer(result, zeroMeansEnd: true)
    }

    /// Sends memory of the caller.
    @inline(__always)
    package func send(_ memory: UnsafeRawBufferPointer) -> Transfer {
        let result = retrying { Glibc.send(descriptor.rawValue, memory.baseAddress, memory.count, CInt(MSG_NOSIGNAL)) }
        return Transfer(result, zeroMeansEnd: false)
    }

    /// Says that nothing more will be sent, while the other direction goes on.
    package func endSending() { _ = shutdown(descriptor.rawValue, CInt(SHUT_WR)) }

    /// Sends small pieces at once, and finds out that the other end is gone without a word: after 75 s where nothing is under way,
    /// else when the kernel gives up, after a quarter of an hour.
    ///
    /// `TCP_USER_TIMEOUT` would be faster, and would end a connection whose other end does not read for that long, though it answers
    /// (`tcp_probe_timer` in net/ipv4/tcp_timer.c). Nothing happens to sockets that know neither.
    package func tuneForStream() { Self.tuneForStream(descriptor.rawValue) }

    /// The same for a socket that somebody else closes.
    package static func tuneForStream(_ descriptor: CInt) {
        let tcp = CInt(IPPROTO_TCP)
        let options = [
            (tcp, TCP_NODELAY, 1), (SOL_SOCKET, SO_KEEPALIVE, 1), (tcp, TCP_KEEPIDLE, 15), (tcp, TCP_KEEPINTVL, 15),
            (tcp, TCP_KEEPCNT, 4),
        ]
        for (level, option, value) in options {
            _ = tendril_setsockopt_int(descriptor, level, option, CInt(value))
        }
    }

    /// Makes closing a reset, so that the peer does not take what it has for all there is.
    package func closeAbruptly() {
        var value = linger(l_onoff: 1, l_linger: 0)
        _ = setsockopt(descriptor.rawValue, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
    }
}
