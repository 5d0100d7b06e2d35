package import TendrilCore

/// What a pool's slots hold, beside the bytes: which slots are free, and in what order the taken ones stand.
///
/// One ledger serves all queues of a worker, so that memory is bounded for all lanes together.
package struct PacketLedger: ~Copyable {
    /// The end of a chain.
    package static var none: Int32 { -1 }

    private var next: [Int32]
    private var lengths: [UInt32]
    private var arrivals: [UInt64]
    private var firstFree: Int32
    /// How many slots are free.
    package private(set) var freeCount: Int

    /// Makes a ledger of `slots` free slots.
    package init(slots: Int) {
        precondition(slots > 0 && slots < Int(Int32.max), "a ledger needs slots")
        next = (0..<Int32(slots)).map { $0 + 1 < slots ? $0 + 1 : Self.none }
        lengths = Array(repeating: 0, count: slots)
        arrivals = Array(repeating: 0, count: slots)
        firstFree = 0
        freeCount = slots
    }

    /// How many slots there are.
    package var slotCount: Int { next.count }

    /// Takes the slot that was freed last, whose memory is the warmest, or `nil` when all are taken.
    package mutating func take() -> Int32? {
        guard firstFree != Self.none else { return nil }
        let slot = firstFree
        firstFree = next[Int(slot)]
        freeCount -= 1
        return slot
    }

    /// Gives a slot back.
    package mutating func release(_ slot: Int32) {
        next[Int(slot)] = firstFree
        firstFree = slot
        freeCount += 1
    }

    /// Notes what a taken slot holds.
    package mutating func record(_ slot: Int32, length: Int, at now: MonotonicTime) {
        lengths[Int(slot)] = UInt32(truncatingIfNeeded: length)
        arrivals[Int(slot)] = now.nanoseconds
        next[Int(slot)] = Self.none
    }

    /// The number of bytes in a slot.
    package func length(of slot: Int32) -> Int { Int(lengths[Int(slot)]) }

    /// When the packet in a slot arrived.
    package func arrival(of slot: Int32) -> MonotonicTime { MonotonicTime(nanoseconds: arrivals[Int(slot)]) }

    /// The slot behind `slot` in its chain.
    package func successor(of slot: Int32) -> Int32 { next[Int(slot)] }

    /// Puts `second` behind `slot`.
    package mutating func chain(_ slot: Int32, to second: Int32) { next[Int(slot)] = second }
}
