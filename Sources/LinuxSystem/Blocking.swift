/// Runs what blocks on a thread of its own, so that everything else goes on meanwhile.
package enum Blocking {
    /// Runs it; `name` is the thread's.
    package static func run<Value: Sendable>(
        _ name: String,
        _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            do {
                let thread = try WorkerThread(name: name) { continuation.resume(with: Result(catching: body)) }
                thread.detach()
            } catch {
                continuation.resume(throwing: error)
            }
        }
    }
}
