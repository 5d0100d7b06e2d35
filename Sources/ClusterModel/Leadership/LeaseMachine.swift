package import TendrilCore

/// Decides who of several processes leads, by a Lease that all of them see; without input or output.
///
/// No clock of another machine is believed: a Lease counts as given up once this side has seen it unchanged for its
/// whole duration.
package struct LeaseMachine: Sendable {
    /// How long a Lease is good for after its last renewal.
    package static let duration = Nanoseconds.seconds(15)
    /// After how long without a renewal a leader stops: earlier than others may begin.
    package static let patience = Nanoseconds.seconds(10)
    /// How often a leader renews, and others look.
    package static let period = Nanoseconds.seconds(2)

    /// What to do with the Lease as it was read.
    package enum Action: Hashable, Sendable {
        /// Write this side as the holder; whoever changed the Lease since makes that fail.
        case write
        /// Somebody else leads.
        case wait
    }

    private let identity: String
    private var seen: (version: String, at: MonotonicTime)?
    private var renewed: MonotonicTime?

    /// Begins without leading.
    package init(identity: String) { self.identity = identity }

    /// Takes what the Lease says now; `nil` for a holder where nobody holds it.
    package mutating func read(holder: String?, version: String, now: MonotonicTime) -> Action {
        if seen?.version != version { seen = (version, now) }
        guard let holder, !holder.isEmpty, holder != identity else { return .write }
        guard let seen, now >= seen.at + Self.duration else { return .wait }
        return .write
    }

    /// A write that was begun at this moment was taken.
    package mutating func wrote(begun: MonotonicTime) { renewed = begun }

    /// Until when this side may act as the leader; `nil` where it never led.
    package var deadline: MonotonicTime? { renewed.map { $0 + Self.patience } }
}
