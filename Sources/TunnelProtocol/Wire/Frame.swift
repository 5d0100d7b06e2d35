/// The unit that lanes carry: a type, a length, and that many bytes.
///
/// See docs/protocol.md.
public struct FrameHeader: Hashable, Sendable {
    /// What a frame carries.
    public enum Kind: UInt8, Sendable {
        /// Who speaks, and what it serves; the first frame in each direction.
        case hello = 1
        /// Asks for an echo; measures the round trip.
        case heartbeat = 2
        /// Answers a heartbeat with its own bytes.
        case echo = 3
        /// Asks the client for a fresh lane in place of this one.
        case renew = 4
        /// No packet follows on this lane; it closes when both sides have said so.
        case drain = 5
        /// Why the sender closes the lane now.
        case close = 6
        /// The sender is about to end: new streams are better opened elsewhere, those that are open go on.
        case retire = 7
        /// A virtio header and an IP packet.
        case packet = 16
        /// Asks for a stream to a target.
        case streamOpen = 32
        /// The target of a stream is connected.
        case streamOpened = 33
        /// Bytes of a stream.
        case streamData = 34
        /// How much of a stream has arrived, and how far it may go on.
        case streamWindow = 35
        /// No bytes follow in this direction.
        case streamEnd = 36
        /// The stream is over, in both directions.
        case streamReset = 37
        /// What the sender has of its streams, after a lane took the place of another.
        case streamResume = 38
        /// Which streams of other lanes go on over this one.
        case streamMove = 39

        /// Whether it belongs to a stream.
        @inlinable public var isStream: Bool { rawValue >= 32 }
    }

    /// The length of a frame's header in bytes.
    @inlinable public static var byteCount: Int { 4 }
    /// The longest payload: a virtio header and the largest IP packet.
    @inlinable public static var maximumPayload: Int { VirtioHeader.byteCount + 65535 + 40 }

    /// What it carries.
    public let kind: Kind
    /// The number of bytes behind the header.
    public let length: Int

    /// Makes the header of a frame.
    public init(kind: Kind, length: Int) {
        self.kind = kind
        self.length = length
    }

    /// Reads the first 4 of `bytes`; a type or a length that cannot be is a violation.
    public init(_ bytes: borrowing Span<UInt8>) throws(ProtocolViolation) {
        guard bytes.count >= Self.byteCount, let kind = Kind(rawValue: bytes[0]) else {
            throw ProtocolViolation.unknownType
        }
        let length = Int(bytes[1]) << 16 | Int(bytes.u16(2))
        guard Self.lengths(of: kind).contains(length) else { throw ProtocolViolation.badLength }
        self.kind = kind
        self.length = length
    }

    /// Writes the header to the first 4 of `bytes`.
    public func write(to bytes: inout MutableSpan<UInt8>) {
        bytes[0] = kind.rawValue
        bytes[1] = UInt8(truncatingIfNeeded: length >> 16)
        bytes.set(UInt16(truncatingIfNeeded: length), at: 2)
    }

    private static func lengths(of kind: Kind) -> ClosedRange<Int> {
        switch kind {
        case .hello: 1...Hello.maximumByteCount
        case .heartbeat, .echo: Heartbeat.byteCount...Heartbeat.byteCount
        case .renew, .drain, .retire: 0...0
        case .close: 2...(2 + CloseNotice.maximumText)
        case .packet: (VirtioHeader.byteCount + 20)...maximumPayload
        case .streamOpen: (StreamFrame.openHead + 4)...(StreamFrame.openHead + StreamTarget.maximumByteCount)
        case .streamOpened: StreamFrame.openedLength...StreamFrame.openedLength
        case .streamData: (StreamFrame.dataHead + 1)...(StreamFrame.dataHead + StreamFrame.maximumData)
        case .streamWindow: StreamFrame.windowLength...StreamFrame.windowLength
        case .streamEnd: StreamFrame.endLength...StreamFrame.endLength
        case .streamReset: 6...(6 + StreamReset.maximumText)
        case .streamResume: 1...(1 + StreamFrame.maximumEntriesLength)
        case .streamMove:
            (StreamFrame.moveHead + StreamFrame.resumeEntryLength)...(StreamFrame.moveHead
                + StreamFrame.maximumEntriesLength)
        }
    }
}

/// The peer broke the protocol; the lane is closed and trying the same again cannot help.
public enum ProtocolViolation: String, Error, Sendable, CaseIterable {
    case unknownType = "unknown frame type"
    case badLength = "impossible frame length"
    case unexpectedFrame = "frame out of order"
    case badHello = "malformed hello"
    case badClose = "malformed close"
    case badStream = "malformed stream frame"
    case overrun = "more than was allowed on a stream"
}
