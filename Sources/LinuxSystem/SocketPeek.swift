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

    /// Takes bytes that were seen off a socket.
    package static func discard(_ count: Int, from descriptor: CInt) {
        var memory = [UInt8](repeating: 0, count: count)
        _ = retrying { recv(descriptor, &memory, memory.count, 0) }
    }
}
