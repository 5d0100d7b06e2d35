internal import LinuxSystem

/// Which shoots have a place in the seed: of two that come at the same moment only one gets the last.
package final class SeedPlaces: Sendable {
    private struct State {
        /// Of those that name the seed.
        var hosted: Set<String> = []
        /// Of those that are about to name it.
        var promised: Set<String> = []
        /// The seeds of those that name another.
        var elsewhere: [String: String] = [:]
        /// Whether all shoots of the garden were told once.
        var isComplete = false
    }

    private let seed: String
    private let state = Guarded(State())

    /// Takes the name of the seed; no shoot is known yet.
    package init(_ seed: String) { self.seed = seed }

    /// How many shoots name the seed.
    var hosted: Int { state.withLock(\.hosted.count) }

    /// How many shoots a seed has, this one with those that are about to name it.
    func hosted(by seed: String) -> Int {
        state.withLock { state in
            seed == self.seed
                ? state.hosted.union(state.promised).count : state.elsewhere.values.count { $0 == seed }
        }
    }

    /// The shoots that name one of no seeds but these.
    func lost(among seeds: Set<String>) -> [String] {
        state.withLock { $0.elsewhere.filter { !seeds.contains($0.value) }.keys.sorted() }
    }

    /// Of some shoots those that do not name the seed; `nil` before all shoots of the garden were told once.
    package func strangers(among keys: Set<String>) -> Set<String>? {
        state.withLock { $0.isComplete ? keys.subtracting($0.hosted) : nil }
    }

    /// All shoots of the garden were told.
    package func complete() { state.withLock { $0.isComplete = true } }

    /// Takes what a shoot says now of its seed.
    package func know(_ key: String, seed: String?) {
        state.withLock { state in
            if seed == self.seed { state.hosted.insert(key) } else { state.hosted.remove(key) }
            state.elsewhere[key] = seed == self.seed ? nil : seed
            // One that names none yet may still have a promise.
            if seed != nil { state.promised.remove(key) }
        }
    }

    /// A shoot is not there any more.
    func forget(_ key: String) {
        state.withLock { state in
            state.hosted.remove(key)
            state.promised.remove(key)
            state.elsewhere[key] = nil
        }
    }

    /// Takes a promise back.
    func withdraw(_ key: String) { _ = state.withLock { $0.promised.remove(key) } }

    /// Promises a place.
    ///
    /// - Parameters:
    ///   - key: of a shoot that names no seed.
    ///   - judge: why there is none where so many others have one; `nil` where there is.
    /// - Returns: what `judge` said.
    func promise(_ key: String, unless judge: (Int) -> String?) -> String? {
        state.withLock { state in
            if let reason = judge(state.hosted.union(state.promised).subtracting([key]).count) { return reason }
            state.promised.insert(key)
            return nil
        }
    }
}
