internal import TendrilCore

/// Why a side closes a lane: a number for programs and a sentence for people.
package struct CloseNotice: Hashable, Sendable, CustomStringConvertible {
    /// The reasons that have a number on the wire.
    package enum Reason: UInt16, Sendable, CaseIterable {
        case shuttingDown = 1
        case replaced = 2
        case protocolViolation = 3
        case wrongIdentity = 4
        case notAuthorised = 5
        case versionMismatch = 6
        case expired = 7
        case silent = 8
        case overloaded = 9
        case duplicateInstance = 10

        /// The reason in words.
        package var text: String {
            switch self {
            case .shuttingDown: "the peer shuts down"
            case .replaced: "a newer link of the same identity took its place"
            case .protocolViolation: "the protocol was broken"
            case .wrongIdentity: "the certificate names another cluster or role"
            case .notAuthorised: "not authorised"
            case .versionMismatch: "the protocol versions do not match"
            case .expired: "a certificate expired"
            case .silent: "nothing was heard for too long"
            case .overloaded: "the server has too many links"
            case .duplicateInstance: "this instance is linked already"
            }
        }
    }

    /// The most bytes of text that a notice carries.
    package static var maximumText: Int { ReasonText.maximumText }

    package let reason: Reason
    /// More about the reason; printable ASCII, for it is logged on the other side.
    package let detail: String

    package init(_ reason: Reason, _ detail: String = "") {
        self.reason = reason
        self.detail = ReasonText.detail(detail.utf8)
    }

    /// Reads the payload of a close frame; what is not printable in it is replaced.
    package init(_ bytes: borrowing Span<UInt8>) throws(ProtocolViolation) {
        guard bytes.count >= 2, let reason = Reason(rawValue: bytes.u16(0)) else { throw .badClose }
        self.reason = reason
        var text: [UInt8] = []
        for index in 2..<bytes.count { text.append(bytes[index]) }
        detail = PrintableText.make(text)
    }

    /// The payload of a close frame.
    package var payload: [UInt8] {
        ReasonText.bytes(reason.rawValue, detail)
    }

    package var description: String { ReasonText.words(reason.text, detail) }
}
