import LinuxSystem
import TendrilCore

/// Pieces of memory of one size that the streams of a worker share; a few free ones are kept at hand.
final class ChunkStore {
    /// The size of a piece in bytes; pages that are never touched cost nothing.
    static var chunkSize: Int { 64 * 1024 }
    private static var reserve: Int { 64 }

    private var free: [UnsafeMutableRawPointer] = []
    /// Pieces that are in use.
    private(set) var used = 0

    init() { free.reserveCapacity(Self.reserve) }

    deinit { trim() }

    func take() -> UnsafeMutableRawPointer {
        used += 1
        return free.popLast() ?? Pages.take(Self.chunkSize)
    }

    func give(_ chunk: UnsafeMutableRawPointer) {
        used -= 1
        if free.count < Self.reserve { free.append(chunk) } else { Pages.give(chunk, Self.chunkSize) }
    }

    /// Counts pieces that another store counts no more.
    func take(_ count: Int, from other: ChunkStore) {
        other.used -= count
        used += count
    }

    /// Gives what is kept at hand back to the system.
    func trim() {
        for chunk in free { Pages.give(chunk, Self.chunkSize) }
        free.removeAll(keepingCapacity: true)
    }
}

/// Bytes of one stream in the order of their arrival, in pieces of a store.
struct ChunkQueue: ~Copyable {
    /// How many pieces there is room to name from the start.
    private static var usual: Int { 4 }
    /// The most pieces for whose names an empty queue keeps room, so that a stream that moves much allocates nothing each time.
    private static var kept: Int { 32 }

    private var store: ChunkStore
    private var chunks: [UnsafeMutableRawPointer] = []
    /// Offset of the first byte in the first piece.
    private var start = 0
    private(set) var count = 0

    init(_ store: ChunkStore) { self.store = store }

    deinit { for chunk in chunks { store.give(chunk) } }

    var isEmpty: Bool { count == 0 }

    /// Room behind the last byte, in a fresh piece where the last one is full; filled bytes are noted by `filled`.
    mutating func room(atMost limit: Int) -> UnsafeMutableRawBufferPointer {
        let end = start + count
        let index = end / ChunkStore.chunkSize
        if chunks.isEmpty { chunks.reserveCapacity(Self.usual) }
        if index == chunks.count { chunks.append(store.take()) }
        let offset = end % ChunkStore.chunkSize
        return UnsafeMutableRawBufferPointer(
            start: chunks[index] + offset,
            count: min(ChunkStore.chunkSize - offset, limit)
        )
    }

    mutating func filled(_ bytes: Int) {
        count += bytes
        if count == 0 { releaseAll() }
    }

    /// Copies bytes in.
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes
        while !rest.isEmpty {
            let room = room(atMost: rest.count)
            room.copyMemory(from: UnsafeRawBufferPointer(rebasing: rest[..<room.count]))
            filled(room.count)
            rest = UnsafeRawBufferPointer(rebasing: rest[room.count...])
        }
    }

    /// Makes what it holds that of another store.
    mutating func move(to other: ChunkStore) {
        other.take(chunks.count, from: store)
        store = other
    }

    /// The bytes from an offset on that lie together, at most `limit`; valid until the next change.
    func piece(from offset: Int, atMost limit: Int) -> UnsafeRawBufferPointer {
        precondition(offset >= 0 && offset <= count, "reads past the end of a queue")
        let position = start + offset
        let length = min(ChunkStore.chunkSize - position % ChunkStore.chunkSize, limit, count - offset)
        guard length > 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        let chunk = chunks[position / ChunkStore.chunkSize]
        return UnsafeRawBufferPointer(start: chunk + position % ChunkStore.chunkSize, count: length)
    }

    /// A copy of all bytes.
    var copied: [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count { bytes += piece(from: bytes.count, atMost: .max) }
        return bytes
    }

    /// Forgets bytes at the front.
    mutating func drop(_ bytes: Int) {
        precondition(bytes >= 0 && bytes <= count, "drops more than a queue holds")
        start += bytes
        count -= bytes
        if count == 0 { return releaseAll() }
        while start >= ChunkStore.chunkSize {
            store.give(chunks.removeFirst())
            start -= ChunkStore.chunkSize
        }
    }

    /// An empty queue holds no pieces.
    private mutating func releaseAll() {
        for chunk in chunks { store.give(chunk) }
        chunks.removeAll(keepingCapacity: chunks.capacity <= Self.kept)
        start = 0
    }
}
