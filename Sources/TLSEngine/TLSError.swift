internal import COpenSSL

/// A TLS failure: what was being attempted, and every reason OpenSSL queued.
package struct TLSError: Error, Hashable, CustomStringConvertible {
    /// The attempt, worded to follow "could not".
    package let attempt: String
    /// OpenSSL's reasons, the first cause first.
    package let reasons: [String]

    package init(_ attempt: String, reasons: [String]) {
        self.attempt = attempt
        self.reasons = reasons
    }

    package var description: String {
        reasons.isEmpty ? "could not \(attempt)" : "could not \(attempt): \(reasons.joined(separator: "; "))"
    }

    /// What an OpenSSL error code means.
    package static func text(_ code: UInt) -> String {
        ERR_reason_error_string(code).map { String(cString: $0) } ?? "OpenSSL error \(code)"
    }

    /// Empties OpenSSL's queue of errors for this thread into an error.
    static func drainingQueue(while attempt: String) -> TLSError {
        var reasons: [String] = []
        while case let code = ERR_get_error(), code != 0 {
            reasons.append(text(code))
        }
        return TLSError(attempt, reasons: reasons)
    }
}
