package import ClusterModel

/// Decides for how long the deletion of a shoot waits for what its objects have in a cloud; it never waits for ever.
package struct CleanUp: Sendable {
    /// What is seen of the shoot.
    package enum Sight: Sendable {
        /// Whether anything is left, and whether there is a node on which a controller can run that takes it away.
        case seen(isEmpty: Bool, hasNodes: Bool)
        /// The API server does not answer; how.
        case unseen(String)
        /// It answers, and does not say what there is; why.
        case untold(String)
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

    /// In minutes, where an owner says nothing, and at most.
    private static let usual: UInt64 = 5
    private static let longest: UInt64 = 1440
    /// In seconds: for so long, at least, nobody may be there who could take anything away.
    private static let absence: UInt64 = 60
    /// And for this part of the whole time: whoever waits for long endures that a node is exchanged.
    private static let share: UInt64 = 5

    private var begun: UInt64
    private let minutes: UInt64
    /// Since when nobody could take anything away.
    private var helpless: UInt64?

    /// Begins, or goes on where another coordinator has begun.
    ///
    /// - Parameters:
    ///   - begun: when the first of them did, in seconds since 1970.
    ///   - minutes: for how long the deletion waits; more than a day is a day.
    package init(begun: UInt64, minutes: UInt64) { (self.begun, self.minutes) = (begun, min(minutes, Self.longest)) }

    /// For how many minutes an owner has the deletion wait; none for not at all, and a day where nobody can tell.
    package static func minutes(of shoot: Shoot) -> UInt64 {
        guard let said = shoot.metadata.annotations?[ShootAnnotation.cleanUpMinutes] else { return usual }
        return number(said).map { min($0, longest) } ?? longest
    }

    /// Why what an owner says of it is no number of minutes; `nil` where it is, or he says nothing.
    package static func complaint(about shoot: Shoot) -> String? {
        guard let said = shoot.metadata.annotations?[ShootAnnotation.cleanUpMinutes], number(said) == nil else {
            return nil
        }
        let fault = "\"\(said.prefix(63))\" is no number from 0 to \(longest)"
        return "\(ShootAnnotation.cleanUpMinutes): \(fault); the deletion waits for \(longest) min"
    }

    private static func number(_ text: String) -> UInt64? {
        let digits = text.drop { $0 == " " }.prefix { $0 != " " }
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            text.utf8.count(where: { $0 != 0x20 }) == digits.utf8.count
        else { return nil }
        // What has too many digits is a number all the same.
        return UInt64(digits) ?? .max
    }

    /// How much of the time is left, in seconds; `now` in seconds since 1970.
    package func left(at now: UInt64) -> UInt64 {
        let passed = Self.seconds(since: begun, at: now)
        return minutes * 60 > passed ? minutes * 60 - passed : 0
    }

    /// Takes what is seen, and says what follows; `now` in seconds since 1970.
    package mutating func next(_ sight: Sight, at now: UInt64) -> Step {
        // What lies ahead was said by a clock that was wrong: it would be waited for until then, and as long again.
        begun = min(begun, now)
        helpless = helpless.map { min($0, now) }
        let reason: String
        switch sight {
        case .seen(isEmpty: true, hasNodes: _): return .done
        case .seen(isEmpty: _, hasNodes: true):
            helpless = nil
            reason = ""
        case .seen: reason = "no node is ready, so that no controller can take it away"
        case .unseen(let how): reason = "its API server does not answer: \(how)"
        case .untold(let why):
            helpless = nil
            return left(at: now) > 0 ? .wait : .giveUp("its API server does not say what is left: \(why)")
        }
        if left(at: now) == 0 {
            return .giveUp(reason.isEmpty ? "it did not go within \(minutes) min" : reason)
        }
        guard !reason.isEmpty else { return .wait }
        let since = helpless ?? now
        helpless = since
        let most = max(Self.absence, minutes * 60 / Self.share)
        return Self.seconds(since: since, at: now) >= most ? .giveUp(reason) : .wait
    }

    /// A moment ahead counts as now.
    private static func seconds(since moment: UInt64, at now: UInt64) -> UInt64 { now > moment ? now - moment : 0 }
}
