package import TendrilCore

/// What a heartbeat and its echo carry: a number and the sender's own clock, which only the sender reads.
package struct Heartbeat: Hashable, Sendable {
    /// The length of the payload in bytes.
    package static var byteCount: Int { 16 }

    package let sequence: UInt64
    package let sentAt: MonotonicTime

    package init(sequence: UInt64, sentAt: MonotonicTime) {
        self.sequence = sequence
        self.sentAt = sentAt
    }

    /// Reads the payload of a heartbeat or an echo.
    package init?(_ bytes: borrowing Span<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        sequence = bytes.u64(0)
        sentAt = MonotonicTime(nanoseconds: bytes.u64(8))
    }

    /// Writes the payload to the first 16 of `bytes`.
    package func write(to bytes: inout MutableSpan<UInt8>) {
        bytes.set(sequence, at: 0)
        bytes.set(sentAt.nanoseconds, at: 8)
    }
}
