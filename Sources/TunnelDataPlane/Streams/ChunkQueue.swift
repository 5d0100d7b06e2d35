import LinuxSystem
import TendrilCore
import TunnelProtocol

/// A piece of memory.
struct Chunk {
    /// Where bytes may stand; before it is room for the head of the frame that they leave in.
    let memory: UnsafeMutableRawPointer
    /// So much of it was written at any time, in bytes of whole pages: what it takes of the machine's memory.
    var touched = 0
}

/// Pieces of memory of one size that the streams of a worker share; a few free ones are kept at hand.
final class ChunkStore {
    /// The bytes that a piece takes: those of one frame, so that a socket is read, and its bytes leave and arrive, as a whole.
    static var chunkSize: Int { StreamFrame.maximumData }
    /// Room before them, for the head of that frame.
    static var headroom: Int { 1024 }
    static var pageSize: Int { 4096 }
    /// What is taken from the system, in bytes; pages that are never touched cost nothing.
    private static var memorySize: Int { headroom + chunkSize }
    private static var reserve: Int { 64 }

    private var free: [Chunk] = []
    /// Pieces that are in use.
    private(set) var used = 0
    /// What the pieces in use take of the machine's memory, in bytes, however little of it still means anything.
    private(set) var held = 0

    init() { free.reserveCapacity(Self.reserve) }

    deinit { trim() }

    func take() -> Chunk {
        let chunk = free.popLast() ?? Chunk(memory: Pages.take(Self.memorySize) + Self.headroom)
        used += 1
        held += chunk.touched
        return chunk
    }

    func give(_ chunk: Chunk) {
        used -= 1
        held -= chunk.touched
        if free.count < Self.reserve { free.append(chunk) } else { Self.release(chunk) }
    }

    private static func release(_ chunk: Chunk) { Pages.give(chunk.memory - headroom, memorySize) }

    /// Notes that more of a piece in use was written.
    func touched(_ bytes: Int) { held += bytes }

    /// Counts pieces that another store counts no more, and the memory that they take.
    func take(_ count: Int, holding bytes: Int, from other: ChunkStore) {
        other.used -= count
        other.held -= bytes
        used += count
        held += bytes
    }

    /// Gives what is kept at hand back to the system.
    func trim() {
        for chunk in free { Self.release(chunk) }
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
    private var chunks: [Chunk] = []
    /// Offset of the first byte in the first piece.
    private var start = 0
    private(set) var count = 0
    /// What its pieces take of the machine's memory, in bytes.
    private(set) var held = 0

    init(_ store: ChunkStore) { self.store = store }

    deinit { for chunk in chunks { store.give(chunk) } }

    var isEmpty: Bool { count == 0 }

    /// Room behind the last byte, in a fresh piece where the last one is full; filled bytes are noted by `filled`.
    mutating func room(atMost limit: Int) -> UnsafeMutableRawBufferPointer {
        let end = start + count
        let index = end / ChunkStore.chunkSize
        if chunks.isEmpty { chunks.reserveCapacity(Self.usual) }
        if index == chunks.count { grow() }
        let offset = end % ChunkStore.chunkSize
        return UnsafeMutableRawBufferPointer(
            start: chunks[index].memory + offset,
            count: min(ChunkStore.chunkSize - offset, limit)
        )
    }

    private mutating func grow() {
        let chunk = store.take()
        held += chunk.touched
        chunks.append(chunk)
    }

    mutating func filled(_ bytes: Int) {
        count += bytes
        guard count > 0 else { return releaseAll() }
        let last = start + count - 1
        let index = last / ChunkStore.chunkSize
        let end = ChunkStore.headroom + last % ChunkStore.chunkSize
        let touched = (end / ChunkStore.pageSize + 1) * ChunkStore.pageSize
        let more = touched - chunks[index].touched
        guard more > 0 else { return }
        chunks[index].touched = touched
        held += more
        store.touched(more)
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
        other.take(chunks.count, holding: held, from: store)
        store = other
    }

    /// The bytes from an offset on that lie together, at most `limit`; valid until the next change.
    func piece(from offset: Int, atMost limit: Int) -> UnsafeRawBufferPointer {
        precondition(offset >= 0 && offset <= count, "reads past the end of a queue")
        let position = start + offset
        let length = min(ChunkStore.chunkSize - position % ChunkStore.chunkSize, limit, count - offset)
        guard length > 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        let chunk = chunks[position / ChunkStore.chunkSize]
        return UnsafeRawBufferPointer(start: chunk.memory + position % ChunkStore.chunkSize, count: length)
    }

    /// The same behind `head` bytes (`ChunkStore.headroom` at most) that may be written; nothing where what lies before is the stream's.
    func framed(from offset: Int, atMost limit: Int, head: Int) -> UnsafeMutableRawBufferPointer? {
        precondition(head <= ChunkStore.headroom, "a head that is too long")
        guard (start + offset) % ChunkStore.chunkSize == 0 else { return nil }
        let bytes = piece(from: offset, atMost: limit)
        guard let first = bytes.baseAddress else { return nil }
        return UnsafeMutableRawBufferPointer(
            start: UnsafeMutableRawPointer(mutating: first) - head,
            count: head + bytes.count
        )
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
            let chunk = chunks.removeFirst()
            held -= chunk.touched
            store.give(chunk)
            start -= ChunkStore.chunkSize
        }
    }

    /// An empty queue holds no pieces.
    private mutating func releaseAll() {
        for chunk in chunks { store.give(chunk) }
        chunks.removeAll(keepingCapacity: chunks.capacity <= Self.kept)
        (start, held) = (0, 0)
    }
}
