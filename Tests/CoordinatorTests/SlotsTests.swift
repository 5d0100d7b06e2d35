import ClusterModel
import Coordinator
import LinuxSystem
import TendrilCore
import Testing

@Suite("Places for tasks", .timeLimit(.minutes(10)))
struct SlotsTests {
    /// Something that others wait for.
    private final class Gate: Sendable {
        private let isOpen = Guarded(false)

        func open() { isOpen.withLock { $0 = true } }

        func wait() async throws {
            while !isOpen.withLock({ $0 }) { try await Task.sleep(.milliseconds(1)) }
        }
    }

    @Test("never are there more at work than places")
    func bound() async throws {
        let slots = Slots(3)
        let counts = Guarded((now: 0, most: 0))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<40 {
                group.addTask {
                    try await slots.holding {
                        counts.withLock { ($0.now, $0.most) = ($0.now + 1, max($0.most, $0.now + 1)) }
                        try await Task.sleep(.milliseconds(1))
                        // Whoever waits has none of them meanwhile, and has one again afterwards.
                        counts.withLock { $0.now -= 1 }
                        if index.isMultiple(of: 2) { try await Slots.aside { await Task.yield() } }
                        counts.withLock { ($0.now, $0.most) = ($0.now + 1, max($0.most, $0.now + 1)) }
                        await Task.yield()
                        counts.withLock { $0.now -= 1 }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(counts.withLock { $0.most } == 3)
    }

    @Test("one that only waits leaves its place to somebody else")
    func aside() async throws {
        let (slots, gate) = (Slots(1), Gate())
        async let waiting: Void = slots.holding { try await Slots.aside { try await gate.wait() } }
        // It would never come to its turn otherwise, and the first one would never end.
        async let other: Void = slots.holding { gate.open() }
        _ = try await (waiting, other)
    }

    @Test("what only waits from its start takes none, and outside of a place there is none to leave")
    func free() async throws {
        let (slots, gate) = (Slots(1), Gate())
        async let holder: Void = slots.holding { try await gate.wait() }
        try await slots.holding(unless: true) { try await Slots.aside { gate.open() } }
        try await holder
    }

    @Test("who does not want to wait for a place goes without, and has one again once it was given back")
    func unwaited() async throws {
        let (slots, gate, isHeld) = (Slots(1), Gate(), Gate())
        async let holder: Void = slots.holding {
            isHeld.open()
            try await gate.wait()
        }
        try await isHeld.wait()
        #expect(try await slots.holdingIfFree { true } == nil)
        gate.open()
        try await holder
        await #expect(throws: TaskFailure.self) {
            _ = try await slots.holdingIfFree { throw TaskFailure(.unknown, "x") }
        }
        #expect(try await slots.holdingIfFree { true } == true)
        #expect(try await slots.holding { true })
    }

    @Test("a place is given back by what fails, also while it waits, and by what is cancelled before its turn")
    func failures() async throws {
        let slots = Slots(1)
        await #expect(throws: TaskFailure.self) { try await slots.holding { throw TaskFailure(.unknown, "x") } }
        await #expect(throws: TaskFailure.self) {
            try await slots.holding { try await Slots.aside { throw TaskFailure(.unknown, "x") } }
        }
        let (gate, isHeld) = (Gate(), Gate())
        async let holder: Void = slots.holding {
            isHeld.open()
            try await gate.wait()
        }
        try await isHeld.wait()
        let cancelled = Task { try await slots.holding { Issue.record("its turn came after it was cancelled") } }
        cancelled.cancel()
        gate.open()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        try await holder
        #expect(try await slots.holding { true })
    }
}
