package import TendrilCore

/// Remembers by which link a seed-side address was last heard, so that answers go back the same way.
///
/// Shared by all workers without locks; a collision costs a detour over another live link, never a loss.
package final class ReturnPaths: Sendable {
    private let words: AtomicWords
    private let function = SipHash()

    /// Makes an empty memory of `capacity` addresses, a power of two.
    package init(capacity: Int = 4096) {
        precondition(capacity > 0 && capacity & (capacity - 1) == 0, "the capacity is a power of two")
        words = AtomicWords(count: capacity)
    }

    /// Notes that a packet from `address` came in by `link`.
    package func note(_ address: IPAddress, link: Int) {
        let (slot, tag) = place(address)
        let word = tag << 16 | UInt64(UInt16(truncatingIfNeeded: link &+ 1))
        if words.load(slot) != word { words.store(word, at: slot) }
    }

    /// The link by which `address` was last heard.
    package func link(to address: IPAddress) -> Int? {
        let (slot, tag) = place(address)
        let word = words.load(slot)
        return word >> 16 == tag && word & 0xFFFF != 0 ? Int(word & 0xFFFF) &- 1 : nil
    }

    private func place(_ address: IPAddress) -> (slot: Int, tag: UInt64) {
        let high = UInt64(truncatingIfNeeded: address.bits >> 64)
        let low = UInt64(truncatingIfNeeded: address.bits)
        let hash = function.hash(high, low, UInt64(address.family.rawValue), 0, 0)
        return (Int(hash & UInt64(words.count &- 1)), hash >> 16)
    }
}
