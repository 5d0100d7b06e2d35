package import TendrilCore

/// What a pool's slots hold, beside the bytes: which slots are free, and in what order the taken ones stand.
///
/// One ledger serves all queues of a worker, so that memory is bounded for all lanes together. Small packets have slots
/// of their own, lest a flood of them take the memory of a few super-packets a thousand times over.
package struct PacketLedger: ~Copyable {
    /// The end of a chain.
    package static var none: Int32 { -1 }

    /// The two sizes of slots.
    package enum Size: Sendable { case small, large }

    private var next: [Int32]
    private var lengths: [UInt32]
    private var arrivals: [UInt64]
    private var firstFreeSmall: Int32
    private var firstFreeLarge: Int32
    private let smallCount: Int32

    /// Makes a ledger whose slots are all free: the small ones first, then the large ones.
    package init(small: Int, large: Int) {
        precondition(small > 0 && large > 0 && small + large < Int(Int32.max), "a ledger needs slots of both sizes")
        let (small, total) = (Int32(small), Int32(small + large))
        next = (0..<total).map { $0 + 1 == small || $0 + 1 == total ? Self.none : $0 + 1 }
        lengths = Array(repeating: 0, count: Int(total))
        arrivals = Array(repeating: 0, count: Int(total))
        firstFreeSmall = 0
        firstFreeLarge = small
        smallCount = small
    }

    /// Which size a slot has.
    package func size(of slot: Int32) -> Size { slot < smallCount ? .small : .large }

    /// Takes the slot that was freed last, whose memory is the warmest, or `nil` when all of that size are taken.
    package mutating func take(_ size: Size) -> Int32? {
        let slot = size == .small ? firstFreeSmall : firstFreeLarge
        guard slot != Self.none else { return nil }
        if size == .small { firstFreeSmall = next[Int(slot)] } else { firstFreeLarge = next[Int(slot)] }
        return slot
    }

    /// Gives a slot back.
    package mutating func release(_ slot: Int32) {
        switch size(of: slot) {
        case .small:
            next[Int(slot)] = firstFreeSmall
            firstFreeSmall = slot
        case .large:
            next[Int(slot)] = firstFreeLarge
            firstFreeLarge = slot
        }
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
