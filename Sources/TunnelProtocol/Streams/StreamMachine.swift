package import TendrilCore

/// The books of one stream at one end, without input, output or a clock of its own: what may be sent, what has arrived,
/// what is owed to the peer.
///
/// Bytes are counted by absolute offsets in each direction, so that after the loss of a lane both sides know what is
/// missing. The end of a direction counts as one more byte, and is acknowledged like one.
package struct StreamMachine: Sendable {
    /// The bounds on how much may be under way in one direction.
    package enum Window {
        /// What a fresh stream may send, in bytes.
        package static var initial: UInt64 { 128 * 1024 }
        /// What no stream exceeds, in bytes.
        package static var maximum: UInt64 { 1024 * 1024 }
    }

    /// How long a stream outlives the last connection that carried it.
    package static var resumeTime: Nanoseconds { .seconds(10) }

    // MARK: Sending

    /// Bytes taken from this side's socket.
    package private(set) var taken: UInt64 = 0
    /// Bytes handed to a lane, and one more where the end was.
    package private(set) var sent: UInt64 = 0
    /// The largest value that `sent` ever had: what is under way on a lane that was replaced may still arrive.
    private var highestSent: UInt64 = 0
    /// Bytes that the peer has, and one more where it has the end.
    package private(set) var acknowledged: UInt64 = 0
    /// How far the peer lets this side send.
    package private(set) var limit: UInt64
    /// Whether this side's socket gives no more.
    package private(set) var hasEnded = false

    // MARK: Receiving

    /// Bytes that have arrived, and one more where the end has.
    package private(set) var received: UInt64 = 0
    /// Bytes given to this side's socket.
    package private(set) var delivered: UInt64 = 0
    /// Where the peer's direction ends, once that is known.
    package private(set) var peerEnd: UInt64?
    private var window = Window.initial
    private var granted: UInt64 = Window.initial
    private var toldReceived: UInt64 = 0
    private var growthMark: UInt64 = 0
    private var growthTime: MonotonicTime
    /// The shortest time in which two busy processes take turns.
    private static var fastestTurn: Nanoseconds { Nanoseconds(500_000) }

    package init(limit: UInt64, at now: MonotonicTime) {
        self.limit = min(limit, Window.maximum)
        growthTime = now
    }

    // MARK: - Sending

    /// How many bytes may be taken from this side's socket now, so that what is kept for repetition stays bounded.
    package var appetite: Int {
        guard !hasEnded else { return 0 }
        let kept = taken - min(acknowledged, taken)
        let capacity = min(max(limit - min(acknowledged, limit), Window.initial), Window.maximum)
        return kept < capacity ? Int(capacity - kept) : 0
    }

    /// How many bytes are kept until the peer has them.
    package var kept: Int { Int(taken - min(acknowledged, taken)) }

    /// How many bytes may be sent now.
    package var sendable: Int {
        let end = min(taken, limit)
        return sent < end ? Int(end - sent) : 0
    }

    /// Whether the end is to be sent now.
    package var owesEnd: Bool { hasEnded && sent == taken }

    /// Notes bytes that came from this side's socket.
    package mutating func take(_ count: Int) { taken += UInt64(count) }

    /// Notes that this side's socket gives no more.
    package mutating func end() { hasEnded = true }

    /// Notes that bytes were handed to a lane.
    package mutating func sent(_ count: Int) {
        sent += UInt64(count)
        highestSent = max(highestSent, sent)
    }

    /// Notes that the end was handed to a lane.
    package mutating func sentEnd() {
        sent = taken + 1
        highestSent = sent
    }

    /// Takes the peer's word on how much it has and how far this side may go.
    ///
    /// - Returns: how many kept bytes need not be kept any more.
    /// - Throws: where the peer claims to have what was never sent.
    package mutating func credit(received: UInt64, limit: UInt64) throws(ProtocolViolation) -> Int {
        guard received <= highestSent else { throw .overrun }
        // Words that were overtaken say less than is known.
        self.limit = max(self.limit, min(limit, received + Window.maximum))
        guard received > acknowledged else { return 0 }
        let before = min(acknowledged, taken)
        acknowledged = received
        sent = max(sent, received)
        return Int(min(received, taken) - before)
    }

    /// Takes the peer's word after a lane took the place of another, and goes back to what the peer has: more may have been
    /// sent on the one that was lost.
    ///
    /// - Returns: how many kept bytes need not be kept any more.
    /// - Throws: as `credit` does.
    package mutating func resume(received: UInt64, limit: UInt64) throws(ProtocolViolation) -> Int {
        let freed = try credit(received: received, limit: limit)
        sent = acknowledged
        return freed
    }

    /// Takes it that the peer does not have the stream any more, which is as it should be where it had everything and only its
    /// word of that was lost.
    ///
    /// - Returns: how many kept bytes need not be kept any more; `nil` where the stream was not over, and is lost.
    package mutating func forgotten() -> Int? {
        guard peerEnd != nil, hasEnded, highestSent == taken + 1 else { return nil }
        let freed = kept
        (acknowledged, sent) = (taken + 1, taken + 1)
        toldReceived = received
        return freed
    }

    // MARK: - Receiving

    /// How much of a data frame is new: `skip` bytes were here before.
    ///
    /// - Throws: where there is a gap, more than was granted, or bytes behind the end.
    package func accept(offset: UInt64, count: Int) throws(ProtocolViolation) -> (skip: Int, count: Int) {
        let (end, overflow) = offset.addingReportingOverflow(UInt64(count))
        guard !overflow, offset <= received, end <= min(granted, peerEnd ?? .max) else { throw .overrun }
        guard end > received else { return (count, 0) }
        let skip = Int(received - offset)
        return (skip, count - skip)
    }

    /// Notes new bytes.
    package mutating func receive(_ count: Int) { received += UInt64(count) }

    /// Takes the peer's end; whether it is news.
    package mutating func receiveEnd(at offset: UInt64) throws(ProtocolViolation) -> Bool {
        if let peerEnd {
            guard peerEnd == offset else { throw .overrun }
            return false
        }
        guard offset == received else { throw .overrun }
        peerEnd = offset
        received = offset + 1
        return true
    }

    /// Notes that bytes were given to this side's socket, and lets the window grow with the path.
    ///
    /// - Parameters:
    ///   - count: how many.
    ///   - now: the time.
    ///   - roundTrip: the shortest of the link, without what waits in queues.
    ///   - mayGrow: whether there is memory for more.
    package mutating func deliver(_ count: Int, at now: MonotonicTime, roundTrip: Nanoseconds, mayGrow: Bool) {
        delivered += UInt64(count)
        guard delivered - growthMark >= window else { return }
        // A whole window in two round trips: the window is what holds the sender up. A larger one would only stand in
        // queues, before everybody else's bytes.
        let pace = max(roundTrip.value * 2, Self.fastestTurn.value)
        if mayGrow, now.since(growthTime).value <= pace { window = min(window * 2, Window.maximum) }
        (growthMark, growthTime) = (delivered, now)
    }

    /// Bytes that have arrived and were not given to the socket yet.
    package var undelivered: Int { Int(received - (peerEnd == nil ? 0 : 1) - delivered) }

    /// Whether the peer's end has been reached by this side's socket.
    package var isDrained: Bool { peerEnd.map { delivered == $0 } ?? false }

    /// Whether the peer is to be told at once, so that it can go on or end.
    package var isCreditDue: Bool {
        let next = max(granted, delivered + window)
        return next - granted >= window / 4 || received - toldReceived >= window / 4
            || (peerEnd != nil && toldReceived < received)
    }

    /// Whether something has arrived that the peer still keeps for repetition.
    package var owesCredit: Bool { received > toldReceived }

    /// What is told to the peer: what has arrived, and how far it may go.
    package mutating func tellCredit() -> (received: UInt64, limit: UInt64) {
        granted = max(granted, delivered + window)
        toldReceived = received
        return (received, granted)
    }

    // MARK: - The end

    /// Whether both directions have ended, each side has all of it, and the peer was told so.
    package var isComplete: Bool { isDrained && hasEnded && acknowledged == taken + 1 && !owesCredit }
}
