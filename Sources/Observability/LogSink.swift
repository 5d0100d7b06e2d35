internal import Glibc
internal import LinuxSystem

/// Where log lines go, of all threads one after the other: a line that its reader leaves no room for is lost, and nobody waits.
package final class LogSink: Sendable {
    private struct State: Sendable {
        /// How many lines were lost in all, and how many of them no line has told of yet.
        var lost: UInt64 = 0
        var untold: UInt64 = 0
        /// Whether a line was cut off, so that the next one has to end it.
        var isCut = false
    }

    /// Standard error of this process.
    package static let standardError = LogSink(descriptor: 2)

    /// What a pipe takes at once where it takes anything, in bytes (pipe(7), PIPE_BUF).
    private static var pieceSize: Int { 4096 }

    private let descriptor: CInt
    private let state = Guarded(State())

    /// Writes to a descriptor, which stays its owner's.
    package init(descriptor: CInt) { self.descriptor = descriptor }

    /// How many lines were lost so far.
    package var lost: UInt64 { state.withLock { $0.lost } }

    /// How many lines were lost since one told of it.
    var untold: UInt64 { state.withLock { $0.untold } }

    /// Writes a line, or loses it.
    ///
    /// - Parameters:
    ///   - line: without its end.
    ///   - told: how many lost lines it tells of.
    func write(_ line: String, telling told: UInt64) {
        let bytes = Array((line + "\n").utf8)
        state.withLock { state in
            let all = state.isCut ? [0x0A] + bytes : bytes
            let count = put(all)
            if count > 0 { state.isCut = count < all.count }
            guard count < all.count else {
                state.untold -= min(told, state.untold)
                return
            }
            state.lost += 1
            state.untold += 1
        }
    }

    /// Writes as much as there is room for; returns how many bytes that were.
    private func put(_ bytes: [UInt8]) -> Int {
        var offset = 0
        while offset < bytes.count, hasRoom {
            let piece = Array(bytes[offset..<min(offset + Self.pieceSize, bytes.count)])
            let count = Glibc.write(descriptor, piece, piece.count)
            guard count > 0 else { break }
            offset += count
        }
        return offset
    }

    /// Whether a piece would be taken now; not by a reader who has gone, for whom the kernel would end this process.
    private var hasRoom: Bool {
        var wanted = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        return poll(&wanted, 1, 0) == 1 && wanted.revents == Int16(POLLOUT)
    }
}
