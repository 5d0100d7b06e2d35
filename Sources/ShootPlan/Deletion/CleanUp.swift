package import ClusterModel

/// Decides for how long the deletion of a shoot waits for what its objects have in a cloud; it never waits for ever.
package struct CleanUp: Sendable {
    /// What is seen of the shoot.
    package enum Sight: Sendable {
        /// Whether anything is left, and whether there is a node on which a controller can run that takes it away.
        case seen(isEmpty: Bool, hasNodes: Bool)
        /// The API server does not answer.
        case unseen
    }

    /// What follows.
    package enum Step: Hashable, Sendable {
        /// Nothing is left.
        case done
        /// It may still go.
        case wait
        /// The deletion goes on without it; why.
        case giveUp(String)
    }

    /// In minutes, where an owner says nothing else; at most a day.
    private static let usual: UInt64 = 5
    private static let longest: UInt64 = 1440
    /// In seconds: for so long nobody may be there who could take anything away.
    private static let absence: UInt64 = 60

    private let begun: UInt64
    private let minutes: UInt64
    /// Since when nobody could take anything away.
    private var helpless: UInt64?

    /// Begins, or goes on where another coordinator has begun.
    ///
    /// - Parameters:
    ///   - begun: when the first of them did, in seconds since 1970.
    ///   - minutes: for how long the deletion waits.
    package init(begun: UInt64, minutes: UInt64) { (self.begun, self.minutes) = (begun, minutes) }

    /// For how many minutes an owner has the deletion wait; none for not at all.
    package static func minutes(of shoot: Shoot) -> UInt64 {
        let said = shoot.metadata.annotations?[ShootAnnotation.cleanUpMinutes].flatMap { UInt64($0) }
        return said.flatMap { $0 <= longest ? $0 : nil } ?? usual
    }

    /// Takes what is seen, and says what follows; `now` in seconds since 1970.
    package mutating func next(_ sight: Sight, at now: UInt64) -> Step {
        let reason: String
        switch sight {
        case .seen(isEmpty: true, hasNodes: _): return .done
        case .seen(isEmpty: _, hasNodes: true):
            helpless = nil
            reason = ""
        case .seen: reason = "no node is ready, so that no controller can take it away"
        case .unseen: reason = "its API server does not answer"
        }
        if Self.seconds(since: begun, at: now) >= minutes * 60 {
            return .giveUp(reason.isEmpty ? "it did not go within \(minutes) min" : reason)
        }
        guard !reason.isEmpty else { return .wait }
        let since = helpless ?? now
        helpless = since
        return Self.seconds(since: since, at: now) >= Self.absence ? .giveUp(reason) : .wait
    }

    /// A clock that goes back counts as one that stands.
    private static func seconds(since moment: UInt64, at now: UInt64) -> UInt64 { now > moment ? now - moment : 0 }
}
