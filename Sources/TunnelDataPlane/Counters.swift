import TendrilCore
package import TunnelProtocol

/// What one lane has done; written by its worker only, read by anyone at any time.
package final class LaneCounters: Sendable {
    /// The single figures.
    package enum Figure: Int, CaseIterable, Sendable {
        case sentBytes, sentPackets, receivedBytes, receivedPackets
        case queueBytes, queuePackets
        /// A moving average in microseconds.
        case queueSojourn
        /// The last heartbeat's round trip in microseconds.
        case roundTrip
        /// The round trip by which paths are compared, in microseconds; 0 before the first.
        case steadyRoundTrip
        case retransmits
        /// Bytes per second in the last second.
        case sendRate, receiveRate
        case congestionMarks, congestionTrims
        /// When the last echo came back, in milliseconds of the monotonic clock; 0 before the first.
        case lastEcho
        case streamSentBytes, streamReceivedBytes
        /// Streams that it carries now.
        case streams
    }

    private let words = AtomicWords(count: Figure.allCases.count)

    package init() {}

    package subscript(_ figure: Figure) -> UInt64 { words.load(figure.rawValue) }

    func add(_ value: Int, to figure: Figure) { words.add(UInt64(truncatingIfNeeded: value), at: figure.rawValue) }
    func set(_ figure: Figure, _ value: UInt64) { words.store(value, at: figure.rawValue) }
}

/// What one worker has done beside its lanes.
package final class WorkerCounters: Sendable {
    private let drops = AtomicWords(count: DropReason.allCases.count)
    private let turns = AtomicWords(count: 1)
    /// From a heartbeat to its echo, behind whatever else the lane carries: what an interactive flow feels.
    package let echoes = DurationHistogram()

    package init() {}

    /// How many packets were dropped for a reason.
    package subscript(_ reason: DropReason) -> UInt64 { drops.load(reason.rawValue) }

    /// How many turns the worker has made: that it still makes them is its sign of life.
    package var turnCount: UInt64 { turns.load(0) }

    func drop(_ reason: DropReason) { drops.add(1, at: reason.rawValue) }
    func turned() { turns.add(1, at: 0) }
}

/// What the streams of one worker have done.
package final class StreamCounters: Sendable {
    /// The single figures.
    package enum Figure: Int, CaseIterable, Sendable {
        /// Streams that are open or being opened.
        case active
        /// Streams that ended before their time.
        case broken
        /// Streams that went on over another connection.
        case resumed
        /// What the bytes that wait take of the machine's memory.
        case heldBytes
    }

    /// From the request to the target's answer.
    package let openings = DurationHistogram()
    private let words = AtomicWords(count: Figure.allCases.count)
    private let refusals = AtomicWords(count: Int(StreamReset.Reason.allCases.map(\.rawValue).max() ?? 0) + 1)

    package init() {}

    package subscript(_ figure: Figure) -> UInt64 { words.load(figure.rawValue) }
    /// How many streams could not be opened for a reason.
    package subscript(_ reason: StreamReset.Reason) -> UInt64 { refusals.load(Int(reason.rawValue)) }

    func add(_ value: Int, to figure: Figure) { words.add(UInt64(truncatingIfNeeded: value), at: figure.rawValue) }
    func subtract(_ value: Int, from figure: Figure) {
        words.store(words.load(figure.rawValue) &- UInt64(truncatingIfNeeded: value), at: figure.rawValue)
    }
    func set(_ figure: Figure, _ value: UInt64) { words.store(value, at: figure.rawValue) }
    func refused(_ reason: StreamReset.Reason) { refusals.add(1, at: Int(reason.rawValue)) }
}
