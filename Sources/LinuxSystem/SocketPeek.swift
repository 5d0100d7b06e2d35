import CTendrilShims
import Glibc

/// Looks at what a socket has received and leaves it there.
package enum SocketPeek {
    /// Copies the first bytes that wait in `descriptor`'s queue.
    package static func peek(_ descriptor: CInt, into bytes: inout [UInt8]) -> Transfer {
        let result = bytes.withUnsafeMutableBytes { buffer in
            retrying { recv(descriptor, buffer.baseAddress, buffer.count, CInt(MSG_PEEK) | CInt(MSG_DONTWAIT)) }
        }
        return Transfer(result, zeroMeansEnd: true)
    }

    /// Whether a connection is over in both directions; or, if that is enough, its other end sends nothing more, though what it has
    /// sent may still wait.
    package static func isOver(_ descriptor: CInt, readEndIsEnough: Bool) -> Bool {
        let events = readEndIsEnough ? Poller.Events.readEnd : []
        var poll = pollfd(fd: descriptor, events: Int16(truncatingIfNeeded: events.rawValue), revents: 0)
        return tendril_poll(&poll, 1, 0) > 0
    }

    /// Takes bytes that were seen off a socket.
    package static func discard(_ count: Int, from descriptor: CInt) {
        var memory = [UInt8](repeating: 0, count: count)
        _ = retrying { recv(descriptor, &memory, memory.count, 0) }
    }
}
