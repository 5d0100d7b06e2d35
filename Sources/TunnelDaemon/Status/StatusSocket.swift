import Glibc
import LinuxSystem
import TendrilCore

/// The UNIX socket on which a daemon tells its status: whoever connects is sent one JSON document.
struct StatusSocket: ~Copyable {
    private let local: LocalListener
    private var latch = DoorLatch()

    /// Listens at `path`, which only the owner may connect to.
    init(path: String) throws(SystemError) { local = try LocalListener(path: path, mode: 0o600, backlog: 16) }

    /// The descriptor to watch for visitors.
    var descriptor: CInt { local.socket.rawDescriptor }

    /// Sends the answer to everyone who has connected.
    ///
    /// - Parameters:
    ///   - token: by which the socket is watched.
    ///   - core: watches it.
    ///   - now: the time.
    ///   - text: makes the answer.
    mutating func answer(_ token: UInt64, _ core: ControlCore, at now: MonotonicTime, _ text: () -> String) {
        while let descriptor = latch.accept(at: local.socket, token, core, at: now) {
            let socket = OwnedDescriptor(owning: descriptor)
            Self.send(Array(text().utf8), to: socket.rawValue)
        }
    }

    /// Lets visitors in again for whom there were no descriptors a moment ago.
    mutating func openIfDue(_ token: UInt64, _ core: ControlCore, at now: MonotonicTime) {
        latch.openIfDue(descriptor, token, core, at: now)
    }

    /// Sends all of an answer, waiting for its reader for half a second at most.
    private static func send(_ bytes: [UInt8], to descriptor: CInt) {
        let end = Clock.now() + .milliseconds(500)
        var offset = 0
        while offset < bytes.count, Clock.now() < end {
            let count = bytes.withUnsafeBytes { buffer in
                Glibc.send(
                    descriptor,
                    buffer.baseAddress.map { $0 + offset },
                    buffer.count - offset,
                    CInt(MSG_NOSIGNAL)
                )
            }
            if count > 0 {
                offset += count
            } else if errno == EAGAIN {
                usleep(1000)
            } else {
                return
            }
        }
    }

    /// Asks the daemon behind `path`.
    static func ask(_ path: String) throws(SystemError) -> [UInt8] {
        let socket = try SocketAddress.local(path).connectBlocking()
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = recv(socket.rawValue, &chunk, chunk.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SystemError("read from \(path)", code: errno) }
            if count == 0 { return content }
            content += chunk[..<count]
        }
    }
}
