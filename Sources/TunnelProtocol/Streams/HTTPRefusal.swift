internal import TendrilCore

/// An answer other than 200: only its status line reaches kubectl's user, so that the cause stands there.
package struct HTTPRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    package let status: Int
    package let reason: String

    package init(_ status: Int, _ reason: String) {
        self.status = status
        self.reason = PrintableText.make(reason.utf8)
    }

    /// The answer to a stream that could not be opened.
    package init(_ reset: StreamReset) {
        let status =
            switch reset.reason {
            case .forbidden: 403
            case .overloaded: 503
            case .timeout, .linkDown: 504
            default: 502
            }
        self.init(status, reset.description)
    }

    package var description: String { "\(status) \(reason)" }

    /// The whole answer.
    package var bytes: [UInt8] { Array("HTTP/1.1 \(status) \(reason)\r\n\r\n".utf8) }
}
