internal import LinuxSystem

/// Bounds how many tasks of shoots are performed at the same time, in the order in which they came.
package final class Slots: Sendable {
    private struct State {
        var free: Int
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    /// What the task that runs holds a place of.
    @TaskLocal private static var held: Slots?

    private let state: Guarded<State>

    /// Makes so many places, at least one.
    package init(_ count: Int) { state = Guarded(State(free: max(count, 1))) }

    /// Waits for a free place.
    private func take() async {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                if Self.take(&state) { return true }
                state.waiting.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
    }

    /// Takes a place where one is free; whether it was.
    private static func take(_ state: inout State) -> Bool {
        guard state.free > 0 else { return false }
        state.free -= 1
        return true
    }

    /// Does something in a place of its own where one is free just now; `nil` where none is.
    package func holdingIfFree<Value>(_ body: () async throws -> Value) async throws -> Value? {
        guard state.withLock({ Self.take(&$0) }) else { return nil }
        defer { give() }
        return try await Self.$held.withValue(self, operation: body)
    }

    /// Does something in a place of its own, which is given back whatever comes of it.
    package func holding<Value>(unless isFree: Bool = false, _ body: () async throws -> Value) async throws -> Value {
        if isFree { return try await body() }
        await take()
        defer { give() }
        try Task.checkCancellation()
        return try await Self.$held.withValue(self, operation: body)
    }

    /// Does something that only waits, while somebody else has the place that this task holds, if it holds one.
    package static func aside<Value>(_ body: () async throws -> Value) async throws -> Value {
        guard let held else { return try await body() }
        held.give()
        let result: Result<Value, any Error>
        do { result = .success(try await body()) } catch { result = .failure(error) }
        await held.take()
        return try result.get()
    }

    /// Gives a place back.
    private func give() {
        let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
            state.free += 1
            return nil
        }
        next?.resume()
    }
}
