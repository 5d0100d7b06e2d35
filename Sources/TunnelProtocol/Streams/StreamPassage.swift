package import TendrilCore

/// How far a stream has come on its way from a lane to another one of the same link, at one end; no input, output or clock.
///
/// The client alone decides where a stream goes on. It names it there, each time with a higher number, so that of several
/// words that reach a server by several lanes the last one counts, in whatever order they come.
package struct StreamPassage: Hashable, Sendable {
    /// The highest number by which it was named.
    package private(set) var number: UInt32 = 0
    /// Until when both sides may take to agree; `nil` where they have.
    package private(set) var deadline: MonotonicTime?

    package init() {}

    /// Whether the two sides have still to agree on the lane.
    package var isUnderWay: Bool { deadline != nil }

    /// Notes that it has left its lane, or that the peer says so; the time runs from the first loss on.
    package mutating func begin(at now: MonotonicTime) {
        deadline = deadline ?? now + StreamMachine.resumeTime
    }

    /// The number by which streams that are named together are named next.
    package static func nextNumber(of passages: some Sequence<StreamPassage>) -> UInt32 {
        (passages.lazy.map(\.number).max() ?? 0) &+ 1
    }

    /// The client names it, by a number that is higher than all before.
    package mutating func name(_ number: UInt32) { self.number = number }

    /// Whether an answer is one to the client's last word, and no older one.
    package func isAnswered(by number: UInt32) -> Bool { isUnderWay && number == self.number }

    /// The server hears a word about it; whether that is newer than any that it has heard.
    package mutating func follow(_ number: UInt32) -> Bool {
        guard number > self.number else { return false }
        self.number = number
        return true
    }

    /// Both sides agree.
    package mutating func settle() { deadline = nil }

    /// Whether the time is over in which they might have.
    package func isOverdue(at now: MonotonicTime) -> Bool { deadline.map { $0 <= now } ?? false }
}
