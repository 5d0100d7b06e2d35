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
    package static var maximumEntriesLength: Int { maximumResumeEntries * resumeEntryLength }
    /// Number.
    package static var moveHead: Int { 4 }

    /// What one side has of a stream.
    package struct ResumeEntry: Hashable, Sendable {
        package let stream: UInt32
        /// Bytes that have arrived, and one more where the end has.
        package let received: UInt64
        /// How far the other side may send.
        package let limit: UInt64
        /// Whether the target is connected.
        package let isOpen: Bool
        /// Whether the sender does not have it on this lane.
        package let isAbsent: Bool

        package init(stream: UInt32, received: UInt64, limit: UInt64, isOpen: Bool) {
            (self.stream, self.received, self.limit, self.isOpen) = (stream, received, limit, isOpen)
            isAbsent = false
        }

        /// Says that the sender does not have a stream on this lane.
        package init(absent stream: UInt32) {
            (self.stream, received, limit, isOpen, isAbsent) = (stream, 0, 0, false, true)
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
        guard bytes[0] <= 1 else { throw .badStream }
        return (try entries(bytes, from: 1), bytes[0] == 1)
    }

    /// Reads a move frame, whose length was checked: its number and entries.
    package static func move(
        _ bytes: borrowing Span<UInt8>
    ) throws(ProtocolViolation) -> (number: UInt32, entries: [ResumeEntry]) {
        (bytes.u32(0), try entries(bytes, from: moveHead))
    }

    private static func entries(
        _ bytes: borrowing Span<UInt8>,
        from head: Int
    ) throws(ProtocolViolation) -> [ResumeEntry] {
        guard (bytes.count - head) % resumeEntryLength == 0 else { throw .badStream }
        var entries: [ResumeEntry] = []
        for start in stride(from: head, to: bytes.count, by: resumeEntryLength) {
            let (stream, flag) = (bytes.u32(start), bytes[start + 20])
            guard flag <= 2 else { throw .badStream }
            guard flag < 2 else {
                entries.append(ResumeEntry(absent: stream))
                continue
            }
            let (received, limit) = (bytes.u64(start + 4), bytes.u64(start + 12))
            entries.append(ResumeEntry(stream: stream, received: received, limit: limit, isOpen: flag == 1))
        }
        return entries
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

    /// Writes a move frame's head.
    package static func write(number: UInt32, to bytes: inout MutableSpan<UInt8>) { bytes.set(number, at: 0) }

    /// Writes one entry of a resume or move frame.
    package static func write(_ entry: ResumeEntry, at offset: Int, to bytes: inout MutableSpan<UInt8>) {
        bytes.set(entry.stream, at: offset)
        bytes.set(entry.received, at: offset + 4)
        bytes.set(entry.limit, at: offset + 12)
        bytes[offset + 20] = entry.isAbsent ? 2 : entry.isOpen ? 1 : 0
    }
}
