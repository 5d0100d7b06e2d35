internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import TendrilCore

/// Waits for what comes by itself, and takes nobody's place meanwhile.
enum Waiting {
    /// Asks again and again until the answer is there.
    ///
    /// - Parameters:
    ///   - limit: for how long, and anew whenever less is left.
    ///   - pause: between two questions.
    ///   - what: for the failure: "etcd to be ready".
    ///   - ask: the answer, or why it is not there; an error of the API is the same, and the last one is told.
    /// - Returns: the answer.
    /// - Throws: `TaskFailure` when time is up, or `CancellationError`.
    static func until<Answer>(
        _ limit: Nanoseconds,
        every pause: Nanoseconds = .milliseconds(250),
        for what: String,
        _ ask: () async throws -> Result<Answer, NotYet>
    ) async throws -> Answer {
        var deadline = Clock.now() + limit
        var least = Int.max
        var reason = ""
        while true {
            do {
                switch try await ask() {
                case .success(let answer): return answer
                case .failure(let notYet):
                    reason = notYet.reason
                    if let left = notYet.left, left < least { (least, deadline) = (left, Clock.now() + limit) }
                }
            } catch let error as APIError {
                try Task.checkCancellation()
                reason = error.description
            }
            guard Clock.now() < deadline else {
                throw TaskFailure(.timeout, "waited \(limit.seconds) s for \(what): \(reason)")
            }
            try await Slots.aside { try await Task.sleep(pause) }
        }
    }

    /// Asks again and again until nothing is amiss; the same limits as those of ``until(_:every:for:_:)``.
    ///
    /// - Parameters:
    ///   - limit: for how long, and anew whenever less is left.
    ///   - pause: between two questions.
    ///   - what: for the failure: "etcd to be ready".
    ///   - problem: what is amiss, or `nil`; an error of the API is the same, and the last one is told.
    /// - Throws: `TaskFailure` when time is up, or `CancellationError`.
    static func untilWell(
        _ limit: Nanoseconds,
        every pause: Nanoseconds = .milliseconds(250),
        for what: String,
        _ problem: () async throws -> NotYet?
    ) async throws {
        try await until(limit, every: pause, for: what) { () -> Result<Void, NotYet> in
            try await problem().map { .failure($0) } ?? .success(())
        }
    }

    /// Why an answer is not there.
    struct NotYet: Error {
        let reason: String
        /// How much of it is left to come.
        let left: Int?

        init(_ reason: String, left: Int? = nil) { (self.reason, self.left) = (reason, left) }
    }
}
