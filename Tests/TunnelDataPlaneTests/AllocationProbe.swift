import CAllocationCounter

/// Counts the allocations of this thread.
enum AllocationProbe {
    static var isCounting: Bool { tendril_test_counts_allocations() == 1 }
    static var count: UInt64 { tendril_test_allocation_count() }
    /// How many pieces of memory it has.
    static var held: Int64 { tendril_test_held_count() }
    /// How many bytes those have together.
    static var heldBytes: Int64 { tendril_test_held_bytes() }
}
