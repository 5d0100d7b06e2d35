/// Why a stream ends before its time.
package typealias StreamReset = ReasonNotice<ResetReason>

/// The reasons to end a stream that have a number on the wire.
package enum ResetReason: UInt16, NumberedReason {
    /// The socket at the sender's end was reset or could not be used any more.
    case broken = 1
    /// Whoever asked for the stream has gone.
    case cancelled = 2
    /// The target is none that this side connects to.
    case forbidden = 3
    /// Nobody listens at the target.
    case refused = 4
    /// The target cannot be reached.
    case unreachable = 5
    /// The target did not answer in time.
    case timeout = 6
    /// The name is not known.
    case unknownName = 7
    /// There are too many streams, or too much memory is held.
    case overloaded = 8
    /// The peer does not know the stream any more.
    case lost = 9
    /// The link was down for too long.
    case linkDown = 10

    /// The reason in words.
    package var text: String {
        switch self {
        case .broken: "connection reset"
        case .cancelled: "cancelled"
        case .forbidden: "target not allowed"
        case .refused: "connection refused"
        case .unreachable: "unreachable"
        case .timeout: "no answer in time"
        case .unknownName: "name not known"
        case .overloaded: "too many streams"
        case .lost: "lost by the peer"
        case .linkDown: "link down"
        }
    }

    /// Whether the same target may be reached on another path, whatever it is: not what it has answered itself, nor a rule.
    package var mayWorkElsewhere: Bool {
        [.unreachable, .timeout, .unknownName, .overloaded, .lost, .linkDown].contains(self)
    }

    /// The label in metrics.
    package var label: String { "\(self)" }

    package static var malformed: ProtocolViolation { .badStream }
}
