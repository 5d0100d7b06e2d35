import CTendrilShims
import Glibc
import LinuxSystem
import TendrilCore

/// Blocking sockets for the workloads.
enum BenchSocket {
    enum Kind: CInt {
        case tcp = 1  // SOCK_STREAM
        case udp = 2  // SOCK_DGRAM
    }

    static func address(_ text: String) throws -> SocketAddress {
        guard let endpoint = Endpoint(text), let address = IPAddress(endpoint.host) else {
            throw SystemError("understand \(text)", code: EINVAL)
        }
        return SocketAddress(address, port: endpoint.port)
    }

    static func connected(_ text: String, _ kind: Kind) throws -> OwnedDescriptor {
        try address(text).connectBlocking(type: kind.rawValue)
    }

    static func bound(_ text: String, _ kind: Kind) throws -> OwnedDescriptor {
        try address(text).bindBlocking(type: kind.rawValue)
    }

    /// As many connections as are let in; the descriptors are the caller's.
    static func crowd(_ count: Int, at text: String) throws -> [CInt] {
        _ = Privileges.raiseDescriptorLimit()
        let address = try address(text)
        return (0..<count).compactMap { _ in
            guard let socket = try? address.connectBlocking(), case let copy = dup(socket.rawValue), copy >= 0 else {
                return nil
            }
            return copy
        }
    }

    static func setTimeout(_ descriptor: CInt, milliseconds: Int) {
        var time = timeval(tv_sec: milliseconds / 1000, tv_usec: (milliseconds % 1000) * 1000)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    }

    static func setNoDelay(_ descriptor: CInt) {
        _ = tendril_setsockopt_int(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, 1)
    }
}

/// Figures as one JSON line.
enum Figures {
    static func show(_ pairs: [(String, Double)]) {
        print("{" + pairs.map { "\"\($0)\": \($1)" }.joined(separator: ", ") + "}")
        fflush(nil)
    }

    /// The value below which `share` of the sorted values lie.
    static func percentile(_ sorted: [Double], _ share: Double) -> Double {
        sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
    }

    static func microseconds(since start: MonotonicTime) -> Double { Double(Clock.now().since(start).value) / 1000 }
}
