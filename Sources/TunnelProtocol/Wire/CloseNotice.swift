/// Why a side closes a lane.
package typealias CloseNotice = ReasonNotice<CloseReason>

/// The reasons to close a lane that have a number on the wire.
package enum CloseReason: UInt16, NumberedReason {
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

    package static var malformed: ProtocolViolation { .badClose }
}
