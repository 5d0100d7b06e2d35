/// What frames of streams hold, in network order (docs/protocol.md, "Streams").
package enum StreamFrame {
    /// The most bytes of a stream in one frame.
    package static var maximumData: Int { 63 * 1024 }
    /// Stream, window.
    package static var openHead: Int { 8 }
    /// Stream, window.
    package static var openedLength: Int { 8 }
    /// Stream, offset.
    package static var dataHead: Int { 12 }
    /// Stream, bytes received, limit.
    package static var windowLength: Int { 20 }
    /// Stream, offset.
    package static var endLength: Int { 12 }
    /// Stream, bytes received, limit, flags.
    package static var resumeEntryLength: Int { 21 }
    package static var maximumResumeEntries: Int { 512 }

    /// What one side has of a stream.
    package struct ResumeEntry: Hashable, Sendable {
        package let stream: UInt32
        /// Bytes that have arrived, and one more where the end has.
        package let received: UInt64
        /// How far the other side may send.
        package let limit: UInt64
        /// Whether the target is connected.
        package let isOpen: Bool

        package init(stream: UInt32, received: UInt64, limit: UInt64, isOpen: Bool) {
            (self.stream, self.received, self.limit, self.isOpen) = (stream, received, limit, isOpen)
        }
    }

    /// The stream that a frame, whose length was checked, is about.
    package static func stream(_ bytes: borrowing Span<UInt8>) -> UInt32 { bytes.u32(0) }

    /// The receive window that stands in an open or opened frame.
    package static func window(_ bytes: borrowing Span<UInt8>) -> UInt64 { UInt64(bytes.u32(4)) }

    /// The offset that stands in a data or end frame.
    package static func offset(_ bytes: borrowing Span<UInt8>) -> UInt64 { bytes.u64(4) }

    /// What stands in a window frame.
    package static func credit(_ bytes: borrowing Span<UInt8>) -> (received: UInt64, limit: UInt64) {
        (bytes.u64(4), bytes.u64(12))
    }

    /// The bytes behind a frame's head.
    package static func rest(_ bytes: borrowing Span<UInt8>, after head: Int) -> [UInt8] {
        var rest: [UInt8] = []
        for index in head..<bytes.count { rest.append(bytes[index]) }
        return rest
    }

    /// Reads a resume frame: its entries, and whether it is the last one.
    package static func resume(
        _ bytes: borrowing Span<UInt8>
    ) throws(ProtocolViolation) -> (entries: [ResumeEntry], isLast: Bool) {
        guard bytes[0] <= 1, (bytes.count - 1) % resumeEntryLength == 0 else { throw .badStream }
        var entries: [ResumeEntry] = []
        for start in stride(from: 1, to: bytes.count, by: resumeEntryLength) {
            guard bytes[start + 20] <= 1 else { throw .badStream }
            entries.append(
                ResumeEntry(
                    stream: bytes.u32(start),
                    received: bytes.u64(start + 4),
                    limit: bytes.u64(start + 12),
                    isOpen: bytes[start + 20] == 1
                )
            )
        }
        return (entries, bytes[0] == 1)
    }

    /// Writes which stream a frame is about.
    package static func write(stream: UInt32, to bytes: inout MutableSpan<UInt8>) { bytes.set(stream, at: 0) }

    /// Writes an open or opened frame's head.
    package static func write(stream: UInt32, window: UInt32, to bytes: inout MutableSpan<UInt8>) {
        bytes.set(stream, at: 0)
        bytes.set(window, at: 4)
    }

    /// Writes a data frame's head, or an end frame.
    package static func write(stream: UInt32, offset: UInt64, to bytes: inout MutableSpan<UInt8>) {
        bytes.set(stream, at: 0)
        bytes.set(offset, at: 4)
    }

    /// Writes a window frame.
    package static func write(stream: UInt32, received: UInt64, limit: UInt64, to bytes: inout MutableSpan<UInt8>) {
        bytes.set(stream, at: 0)
        bytes.set(received, at: 4)
        bytes.set(limit, at: 12)
    }

    /// Writes one entry of a resume frame.
    package static func write(_ entry: ResumeEntry, at offset: Int, to bytes: inout MutableSpan<UInt8>) {
        bytes.set(entry.stream, at: offset)
        bytes.set(entry.received, at: offset + 4)
        bytes.set(entry.limit, at: offset + 12)
        bytes[offset + 20] = entry.isOpen ? 1 : 0
    }
}
