/// Why a stream ends before its time: a number for programs and a sentence for people.
package struct StreamReset: Error, Hashable, Sendable, CustomStringConvertible {
    /// The reasons that have a number on the wire.
    package enum Reason: UInt16, Sendable, CaseIterable {
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
    }

    /// The most bytes of text.
    package static var maximumText: Int { ReasonText.maximumText }

    package let reason: Reason
    /// More about the reason; printable ASCII, for it is shown to people.
    package let detail: String

    package init(_ reason: Reason, _ detail: String = "") {
        self.reason = reason
        self.detail = ReasonText.detail(detail.utf8)
    }

    /// Reads what stands in a frame; what is not printable in it is replaced.
    package init(_ bytes: [UInt8]) throws(ProtocolViolation) {
        guard bytes.count >= 2, bytes.count <= 2 + Self.maximumText,
            let reason = Reason(rawValue: UInt16(bytes[0]) << 8 | UInt16(bytes[1]))
        else { throw .badStream }
        self.reason = reason
        detail = ReasonText.detail(bytes[2...])
    }

    /// How the reset stands in a frame.
    package var bytes: [UInt8] {
        ReasonText.bytes(reason.rawValue, detail)
    }

    package var description: String { ReasonText.words(reason.text, detail) }
}
