/// By which numbers the kernel names the sockets of a worker's streams; none is used again for another soon.
struct StreamTokens {
    /// What tells a stream's token from others: its slot, and how often that was used, stand below.
    static var first: UInt64 { 1 << 63 }
    private static var mostUses: UInt64 { 0x7FFF_FFFF }

    private var slots: [(stream: Stream?, uses: UInt64)] = []
    private var free: [Int] = []

    /// A token for a stream.
    mutating func take(for stream: Stream) -> UInt64 {
        let slot = free.popLast() ?? slots.count
        if slot == slots.count { slots.append((nil, 0)) }
        slots[slot].stream = stream
        slots[slot].uses += 1
        return Self.first | (slots[slot].uses & Self.mostUses) << 32 | UInt64(slot)
    }

    /// Takes a stream's token back, where it has one.
    mutating func release(_ stream: Stream) {
        guard stream.token != 0, self[stream.token] === stream else { return }
        let slot = Self.slot(of: stream.token)
        slots[slot].stream = nil
        free.append(slot)
    }

    /// The stream that has a token now.
    subscript(token: UInt64) -> Stream? {
        let slot = Self.slot(of: token)
        guard slot < slots.count, slots[slot].uses & Self.mostUses == token >> 32 & Self.mostUses else { return nil }
        return slots[slot].stream
    }

    private static func slot(of token: UInt64) -> Int { Int(token & 0xFFFF_FFFF) }
}
