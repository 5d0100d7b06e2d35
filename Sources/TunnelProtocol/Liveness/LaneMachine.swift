package import TendrilCore

/// The life of one lane after the hello, without input, output or a clock of its own.
///
/// ```
///   open ──drain()──▶ draining ──peer drained, or 10 s──▶ finished
///     │                  │
///     └──── silence, violation, close() ────▶ finished
/// ```
package struct LaneMachine: Sendable {
    /// What the shell is to send or do now.
    package enum Output: Hashable, Sendable {
        case send(FrameHeader.Kind, Heartbeat?)
        /// The lane is over. A notice is sent first where the peer can still hear it.
        case finish(CloseNotice?)
    }

    /// What a control frame means to the shell.
    package enum Event: Hashable, Sendable {
        case none
        /// A heartbeat came back.
        case roundTrip(Nanoseconds)
        /// The server asks for a fresh lane.
        case renew
        /// The peer is about to end and wants no new streams.
        case retiring
        /// The peer closed the lane.
        case closed(CloseNotice)
    }

    /// The limits on silence.
    package enum Timing {
        /// How often an open lane is probed.
        package static var interval: Nanoseconds { .seconds(1) }
        /// After this much silence the lane is dead: within 3 s of a cut, whatever the phase of the timer.
        package static var patience: Nanoseconds { .milliseconds(2500) }
        /// How long a drained lane waits for its peer.
        package static var drain: Nanoseconds { .seconds(10) }
        /// How long a side may take to have the successor of a lane that its peer drains.
        package static var grace: Nanoseconds { .seconds(2) }
    }

    private var lastHeard: MonotonicTime
    private var nextProbe: MonotonicTime
    private var sequence: UInt64 = 0
    /// The heartbeats sent last whose echoes have not come, each where its number says.
    private var awaited = InlineArray<8, Heartbeat?>(repeating: nil)
    private var owedEcho: Heartbeat?
    private var drainDeadline: MonotonicTime?
    private var peerDrainedAt: MonotonicTime?
    private var saidDrain = false
    private var owesRenew = false
    private var owesRetire = false
    private var isFinished = false

    /// When the last echo came back.
    package private(set) var lastEcho: MonotonicTime?

    package init(at now: MonotonicTime) {
        lastHeard = now
        nextProbe = now
    }

    /// Whether packets may still be sent on this lane.
    package var acceptsPackets: Bool { drainDeadline == nil && !isFinished }

    /// Whether one side has begun to drain.
    package var isDraining: Bool { drainDeadline != nil || peerDrainedAt != nil }

    /// Notes that authenticated bytes arrived.
    package mutating func heard(at now: MonotonicTime) { lastHeard = now }

    /// Begins to drain; the shell sends what waits, then calls `drained()`.
    package mutating func drain(at now: MonotonicTime) {
        if drainDeadline == nil { drainDeadline = now + Timing.drain }
    }

    /// Asks the peer for a fresh lane in place of this one.
    package mutating func requestRenewal() { owesRenew = true }

    /// Tells the peer to open new streams elsewhere.
    package mutating func retire() { owesRetire = true }

    /// Takes a control frame that is not a hello.
    package mutating func receive(
        _ kind: FrameHeader.Kind,
        _ payload: borrowing Span<UInt8>,
        at now: MonotonicTime
    ) throws(ProtocolViolation) -> Event {
        switch kind {
        case .heartbeat:
            guard let heartbeat = Heartbeat(payload) else { throw .badLength }
            // Only the newest is owed: a flood of heartbeats costs one echo a turn.
            owedEcho = heartbeat
            return .none
        case .echo:
            guard let heartbeat = Heartbeat(payload) else { throw .badLength }
            // An echo of what was not sent, or not lately, or that came before, measures nothing.
            guard takeAwaited(heartbeat) else { return .none }
            lastEcho = now
            return .roundTrip(now.since(heartbeat.sentAt))
        case .renew: return .renew
        case .retire: return .retiring
        case .drain:
            // The peer goes on reading. This side drains too once it has the successor, which is still on its way.
            if peerDrainedAt == nil { peerDrainedAt = now }
            return .none
        case .close: return .closed(try CloseNotice(payload))
        case .hello, .packet, .streamOpen, .streamOpened, .streamData, .streamWindow, .streamEnd, .streamReset,
            .streamResume, .streamMove:
            throw .unexpectedFrame
        }
    }

    /// Says what to do at `now`; to be called until it returns `nil`.
    ///
    /// - Parameters:
    ///   - now: the time.
    ///   - isQueueEmpty: whether every packet that was queued for this lane has left.
    /// - Returns: the next thing to do, or `nil` when there is none.
    package mutating func advance(to now: MonotonicTime, isQueueEmpty: Bool) -> Output? {
        guard !isFinished else { return nil }
        if let notice = overdue(at: now) { return finish(notice) }
        if let peerDrainedAt, now >= peerDrainedAt + Timing.grace { drain(at: now) }
        if let heartbeat = owedEcho {
            owedEcho = nil
            return .send(.echo, heartbeat)
        }
        if owesRetire {
            owesRetire = false
            return .send(.retire, nil)
        }
        if owesRenew {
            owesRenew = false
            return .send(.renew, nil)
        }
        if drainDeadline != nil, !saidDrain, isQueueEmpty {
            saidDrain = true
            return .send(.drain, nil)
        }
        if isDone { return finish(nil) }
        guard now >= nextProbe else { return nil }
        nextProbe = now + Timing.interval
        sequence += 1
        let heartbeat = Heartbeat(sequence: sequence, sentAt: now)
        awaited[Self.place(of: sequence)] = heartbeat
        return .send(.heartbeat, heartbeat)
    }

    private static func place(of sequence: UInt64) -> Int { Int(sequence % 8) }

    /// Whether an echo is of a heartbeat that was sent lately, in both its fields, and is the first one.
    private mutating func takeAwaited(_ heartbeat: Heartbeat) -> Bool {
        let place = Self.place(of: heartbeat.sequence)
        guard awaited[place] == heartbeat else { return false }
        awaited[place] = nil
        return true
    }

    /// Why the lane is out of time, if it is; this holds also while nothing can be sent.
    package func overdue(at now: MonotonicTime) -> CloseNotice? {
        if now >= lastHeard + Timing.patience { return CloseNotice(.silent) }
        if let drainDeadline, now >= drainDeadline { return CloseNotice(.replaced) }
        return nil
    }

    private var isDone: Bool { saidDrain && peerDrainedAt != nil }

    private mutating func finish(_ notice: CloseNotice?) -> Output {
        isFinished = true
        return .finish(notice)
    }
}
