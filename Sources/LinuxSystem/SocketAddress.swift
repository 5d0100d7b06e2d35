import CTendrilShims
import Glibc
package import TendrilCore

/// Where a socket listens or connects to: an address and port, or a path.
package struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
    private let bytes: [UInt8]
    package let description: String
    /// The IP address, where it is one.
    package let address: IPAddress?
    /// The port, or 0.
    package let port: UInt16

    /// An IP address and a port.
    package init(_ address: IPAddress, port: UInt16) {
        self.address = address
        self.port = port
        description = Endpoint(host: address.description, port: port).description
        switch address.family {
        case .v4:
            var value = sockaddr_in()
            value.sin_family = sa_family_t(AF_INET)
            value.sin_port = port.bigEndian
            withUnsafeMutableBytes(of: &value.sin_addr) { $0.copyBytes(from: address.bytes) }
            bytes = withUnsafeBytes(of: &value) { Array($0) }
        case .v6:
            var value = sockaddr_in6()
            value.sin6_family = sa_family_t(AF_INET6)
            value.sin6_port = port.bigEndian
            withUnsafeMutableBytes(of: &value.sin6_addr) { $0.copyBytes(from: address.bytes) }
            bytes = withUnsafeBytes(of: &value) { Array($0) }
        }
    }

    /// A path in the file system, or `@name` in the abstract name space; at most 107 bytes.
    package init?(path: String) {
        var value = sockaddr_un()
        guard !path.isEmpty, path.utf8.count < MemoryLayout.size(ofValue: value.sun_path) else { return nil }
        value.sun_family = sa_family_t(AF_UNIX)
        let isAbstract = path.hasPrefix("@")
        withUnsafeMutableBytes(of: &value.sun_path) { target in
            target.copyBytes(from: path.utf8)
            if isAbstract { target[0] = 0 }
        }
        // An abstract name is as long as it says; a path ends with its NUL.
        let used = MemoryLayout<sa_family_t>.size + path.utf8.count + (isAbstract ? 0 : 1)
        bytes = withUnsafeBytes(of: &value) { Array($0.prefix(used)) }
        description = path
        address = nil
        port = 0
    }

    /// The address of a socket at a path, which must not be too long for one.
    package static func local(_ path: String) throws(SystemError) -> SocketAddress {
        guard let address = SocketAddress(path: path) else {
            throw SystemError("use the socket \(path)", code: ENAMETOOLONG)
        }
        return address
    }

    init(_ storage: sockaddr_storage, length: socklen_t) {
        var storage = storage
        let raw = withUnsafeBytes(of: &storage) { Array($0.prefix(Int(length))) }
        bytes = raw
        switch CInt(storage.ss_family) {
        case AF_INET where raw.count >= 8: address = IPAddress(bytes: raw[4..<8])
        case AF_INET6 where raw.count >= 24: address = Self.unmapped(raw[8..<24])
        default: address = nil
        }
        port = raw.count >= 4 && address != nil ? UInt16(raw[2]) << 8 | UInt16(raw[3]) : 0
        description =
            address.map { Endpoint(host: $0.description, port: UInt16(raw[2]) << 8 | UInt16(raw[3])).description }
            ?? "local socket"
    }

    /// An IPv4 peer of a dual-stack listener, as what it is.
    private static func unmapped(_ bytes: ArraySlice<UInt8>) -> IPAddress? {
        let prefix: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
        return IPAddress(bytes: bytes.starts(with: prefix) ? bytes.suffix(4) : bytes)
    }

    /// AF_INET, AF_INET6 or AF_UNIX.
    package var family: CInt {
        CInt(bytes.withUnsafeBytes { $0.loadUnaligned(as: sa_family_t.self) })
    }

    /// Lends the address as the kernel takes it.
    func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        var storage = sockaddr_storage()
        withUnsafeMutableBytes(of: &storage) { $0.copyBytes(from: bytes) }
        return withUnsafePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(bytes.count)) }
        }
    }

    /// Every address that the resolver knows for `endpoint`; it may block for as long as the resolver does.
    package static func resolve(_ endpoint: Endpoint) throws(SystemError) -> [SocketAddress] {
        if let address = IPAddress(endpoint.host) { return [SocketAddress(address, port: endpoint.port)] }
        if endpoint.host.isEmpty { return [SocketAddress(IPAddress(v6High: 0, low: 0), port: endpoint.port)] }
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        var first: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(endpoint.host, String(endpoint.port), &hints, &first)
        guard result == 0 else {
            let reason = result == EAI_SYSTEM ? SystemError.text(errno) : String(cString: gai_strerror(result))
            throw SystemError("resolve \(endpoint.host) (\(reason))", code: EHOSTUNREACH)
        }
        defer { freeaddrinfo(first) }
        var found: [SocketAddress] = []
        var next = first
        while let entry = next {
            if let pointer = entry.pointee.ai_addr {
                var storage = sockaddr_storage()
                memcpy(&storage, pointer, Int(entry.pointee.ai_addrlen))
                found.append(SocketAddress(storage, length: entry.pointee.ai_addrlen))
            }
            next = entry.pointee.ai_next
        }
        return found
    }
}

extension SocketAddress {
    /// Connects to the address and waits for the outcome.
    ///
    /// - Parameters:
    ///   - type: of the socket.
    ///   - patience: how long that, and each `send` later, may take (`SO_SNDTIMEO`; unix(7) and tcp(7) honour it): then it fails
    ///     with `EAGAIN` or `EINPROGRESS`. `nil` for as long as it takes.
    /// - Returns: the socket.
    /// - Throws: `SystemError`.
    package func connectBlocking(
        type: CInt = CInt(SOCK_STREAM.rawValue),
        within patience: Nanoseconds? = nil
    ) throws(SystemError) -> OwnedDescriptor {
        let number = socket(family, type | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw SystemError("open a socket for \(self)", code: errno) }
        let owned = OwnedDescriptor(owning: number)
        if let patience {
            var limit = patience.microseconds
            setsockopt(number, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        let result = withPointer { pointer, length in retrying { connect(number, pointer, length) } }
        guard result >= 0 else { throw SystemError("connect to \(self)", code: CInt(-result)) }
        return owned
    }

    /// Opens a socket of a type that is bound to the address.
    package func bindBlocking(type: CInt) throws(SystemError) -> OwnedDescriptor {
        let number = socket(family, type | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw SystemError("open a socket for \(self)", code: errno) }
        let owned = OwnedDescriptor(owning: number)
        _ = tendril_setsockopt_int(number, SOL_SOCKET, SO_REUSEADDR, 1)
        let result = withPointer { pointer, length in retrying { bind(number, pointer, length) } }
        guard result >= 0 else { throw SystemError("bind to \(self)", code: CInt(-result)) }
        return owned
    }
}
