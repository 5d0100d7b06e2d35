public import Synchronization

/// A fixed row of 64-bit words that several threads read and write without locks.
@safe
public final class AtomicWords: @unchecked Sendable {
    /// How many words there are.
    public let count: Int
    @usableFromInline let words: UnsafeMutablePointer<Atomic<UInt64>>

    /// Makes `count` words that hold zero.
    public init(count: Int) {
        precondition(count > 0, "a row of no words is a mistake")
        self.count = count
        unsafe words = .allocate(capacity: count)
        for index in 0..<count { unsafe (words + index).initialize(to: Atomic(0)) }
    }

    deinit {
        unsafe words.deinitialize(count: count)
        unsafe words.deallocate()
    }

    /// The word at `index`, in no order with other words.
    @inlinable
    public func load(_ index: Int) -> UInt64 {
        precondition(index >= 0 && index < count, "no such word")
        return unsafe words[index].load(ordering: .relaxed)
    }

    /// Replaces the word at `index`, in no order with other words.
    @inlinable
    public func store(_ value: UInt64, at index: Int) {
        precondition(index >= 0 && index < count, "no such word")
        unsafe words[index].store(value, ordering: .relaxed)
    }

    /// Sets or clears bits of a word that several threads change.
    public func set(_ bits: UInt64, to isSet: Bool, at index: Int) {
        precondition(index >= 0 && index < count, "no such word")
        if isSet {
            _ = unsafe words[index].bitwiseOr(bits, ordering: .relaxed)
        } else {
            _ = unsafe words[index].bitwiseAnd(~bits, ordering: .relaxed)
        }
    }

    /// Counts up or down in a word that several threads change.
    public func advance(by step: Int, at index: Int) {
        precondition(index >= 0 && index < count, "no such word")
        _ = unsafe words[index].wrappingAdd(UInt64(bitPattern: Int64(step)), ordering: .relaxed)
    }

    /// Adds to a word that only the calling thread writes.
    @inlinable
    public func add(_ value: UInt64, at index: Int) { store(load(index) &+ value, at: index) }
}
