package import TendrilCore

/// Remembers which flows the seed side opened: a packet may leave by one lane and its answer come in by another.
package final class FlowTable: Sendable {
    /// How long an answer is let in after the last outward packet, in seconds.
    package enum Lifetime {
        /// A TCP connection may be silent for hours; 8 h is beyond every keepalive.
        package static var tcp: UInt64 { 8 * 3600 }
        /// Datagrams and ICMP.
        package static var datagram: UInt64 { 180 }
    }

    private let sightings: SightingTable
    private let function: SipHash

    /// Makes an empty table.
    ///
    /// - Parameters:
    ///   - buckets: a power of two; each holds 8 flows of 8 bytes.
    ///   - function: the hash that spreads flows; a fixed one makes a test repeatable.
    package init(buckets: Int = 8192, function: SipHash = SipHash()) {
        sightings = SightingTable(buckets: buckets)
        self.function = function
    }

    /// How many flows fit.
    package var capacity: Int { sightings.capacity }

    /// Notes that the seed side sent a packet of this flow.
    package func note(_ key: FlowKey, at now: MonotonicTime) { sightings.note(key.hash(function), at: now) }

    /// Whether the seed side sent a packet of this flow within `lifetime` seconds.
    package func isKnown(_ key: FlowKey, within lifetime: UInt64, at now: MonotonicTime) -> Bool {
        sightings.wasSeen(key.hash(function), within: lifetime, at: now)
    }

    /// Forgets flows that are older than any lifetime and returns how many are left; to be called at least every few hours.
    package func sweep(at now: MonotonicTime) -> Int { sightings.sweep(olderThan: Lifetime.tcp, at: now) }
}
