/// An exchange that came to no response; `isRetryable` says whether trying again can help.
package struct TransferError: Error, Hashable, CustomStringConvertible {
    /// What kind of failure it was.
    package enum Kind: String, Sendable {
        /// The request itself is not one that is sent.
        case badRequest
        case resolve
        case connect
        case proxy
        case timeout
        /// The peer's certificate is not believed.
        case untrusted
        case tls
        case interrupted
        case tooLarge
        case cancelled
    }

    package let kind: Kind
    package let url: String
    package let reason: String

    package init(_ kind: Kind, url: String, reason: String) {
        self.kind = kind
        self.url = url
        self.reason = reason
    }

    package var description: String { "could not reach \(url): \(reason)" }

    /// Whether the same request may succeed later.
    package var isRetryable: Bool { kind != .badRequest && kind != .tooLarge && kind != .cancelled }
}
