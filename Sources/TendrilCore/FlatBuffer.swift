/// Bytes in one fixed piece of memory, filled at the end and taken from the front.
///
/// It never grows and never allocates after its creation; every count is checked once per call. The memory comes from
/// the allocator untouched, so that what is never used costs no resident page.
@safe
public struct FlatBuffer: ~Copyable, @unchecked Sendable {
    /// The first byte of the memory; valid for `capacity` bytes for as long as the buffer lives.
    public let base: UnsafeMutableRawPointer
    /// The size of the memory in bytes.
    public let capacity: Int
    /// Offset of the first byte that was not taken yet.
    public private(set) var start = 0
    /// Offset behind the last byte that was filled.
    public private(set) var end = 0

    /// Reserves `capacity` bytes, 64-byte aligned.
    public init(capacity: Int) {
        precondition(capacity > 0, "a buffer without room is a mistake")
        unsafe self.base = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 64)
        self.capacity = capacity
    }

    deinit { unsafe base.deallocate() }

    /// How many bytes can be taken.
    @inlinable public var count: Int { end &- start }
    /// Whether nothing is in it.
    @inlinable public var isEmpty: Bool { end == start }
    /// How many bytes can be filled without `compact()`.
    @inlinable public var room: Int { capacity &- end }

    /// The first byte to take; valid until the next mutation.
    @inlinable public var readPointer: UnsafeMutableRawPointer { unsafe base + start }
    /// The first byte to fill; valid until the next mutation.
    @inlinable public var writePointer: UnsafeMutableRawPointer { unsafe base + end }

    /// Notes that `count` bytes were filled at `writePointer`.
    @inlinable
    public mutating func produced(_ count: Int) {
        precondition(count >= 0 && count <= room, "filled past the end of a buffer")
        setEnd(end &+ count)
    }

    /// Notes that `count` bytes were taken at `readPointer`.
    @inlinable
    public mutating func consumed(_ count: Int) {
        precondition(count >= 0 && count <= self.count, "took more than a buffer held")
        setStart(start &+ count)
    }

    @usableFromInline mutating func setEnd(_ value: Int) { end = value }
    @usableFromInline mutating func setStart(_ value: Int) {
        start = value
        if start == end { (start, end) = (0, 0) }
    }

    /// Moves what is left to the front, so that `room` is all that can be had.
    public mutating func compact() {
        guard start > 0 else { return }
        let count = self.count
        unsafe base.copyMemory(from: base + start, byteCount: count)
        (start, end) = (0, count)
    }

    /// Forgets everything.
    public mutating func clear() { (start, end) = (0, 0) }

    /// Copies `bytes` in and returns `true`, or returns `false` when they do not fit.
    public mutating func append(_ bytes: RawSpan) -> Bool {
        guard bytes.byteCount <= room else { return false }
        unsafe bytes.withUnsafeBytes { source in
            guard let address = source.baseAddress else { return }
            unsafe writePointer.copyMemory(from: address, byteCount: source.count)
        }
        produced(bytes.byteCount)
        return true
    }

    /// Adds one byte; there must be room for it.
    public mutating func append(_ byte: UInt8) {
        precondition(room > 0, "no room in a buffer")
        unsafe writePointer.storeBytes(of: byte, as: UInt8.self)
        produced(1)
    }

    /// Lends the next `count` bytes to be filled, all of which count as filled afterwards; there must be room.
    public mutating func fill(_ count: Int, _ body: (inout MutableSpan<UInt8>) -> Void) {
        precondition(count >= 0 && count <= room, "no room in a buffer")
        let start = unsafe writePointer.assumingMemoryBound(to: UInt8.self)
        var span = unsafe MutableSpan(_unsafeStart: start, count: count)
        body(&span)
        produced(count)
    }

    /// Lends the bytes that can be taken.
    @inlinable
    public func withReadable<Result>(_ body: (RawSpan) -> Result) -> Result {
        let bytes = unsafe UnsafeRawBufferPointer(start: readPointer, count: count)
        return unsafe body(RawSpan(_unsafeBytes: bytes))
    }

    /// A copy of the bytes that can be taken.
    public var copied: [UInt8] { withReadable { span in unsafe span.withUnsafeBytes { unsafe Array($0) } } }

    /// Overwrites the whole memory with zeros.
    public func erase() {
        for offset in 0..<capacity { unsafe base.storeBytes(of: 0, toByteOffset: offset, as: UInt8.self) }
    }
}
