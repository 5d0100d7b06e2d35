package import ClusterModel
package import HTTPModel

/// A request to the Kubernetes API that did not come to its end.
package enum APIError: Error, Sendable, CustomStringConvertible {
    /// Nobody answered.
    case transfer(TransferError)
    /// The API server refused.
    case status(code: Int, request: String, APIStatus, retryAfter: Int?)
    /// The answer is not what the API promises.
    case malformed(request: String, reason: String)
    /// Nothing was asked, for it could not be, or may not.
    case unsent(request: String, reason: String)

    package var description: String {
        switch self {
        case .transfer(let error): error.description
        case .status(let code, let request, let status, _):
            "\(request): \(status.message ?? status.reason ?? "HTTP status \(code)") (\(code))"
        case .malformed(let request, let reason): "\(request): the answer is malformed: \(reason)"
        case .unsent(let request, let reason): "\(request): not sent: \(reason)"
        }
    }

    /// The HTTP status; `nil` where nobody answered.
    package var code: Int? {
        guard case .status(let code, _, _, _) = self else { return nil }
        return code
    }

    package var isNotFound: Bool { code == 404 }
    package var isConflict: Bool { code == 409 }
    /// The version that a watch began from is gone.
    package var isGone: Bool {
        guard case .status(let code, _, let status, _) = self else { return false }
        return code == 410 || status.reason == "Expired"
    }

    /// The answer is larger than what is read.
    var isTooLarge: Bool {
        guard case .transfer(let error) = self else { return false }
        return error.kind == .tooLarge
    }

    /// Whether the same request may succeed later.
    package var isRetryable: Bool {
        switch self {
        case .transfer(let error): error.isRetryable
        case .status(let code, _, _, _): code == 429 || code >= 500
        case .malformed, .unsent: false
        }
    }

    /// Whether nobody was there who could have answered: no connection, or a server that is not well.
    package var isAbsence: Bool {
        switch self {
        case .transfer(let error): error.isRetryable
        case .status(let code, _, _, _): code >= 500
        case .malformed, .unsent: false
        }
    }

    /// How long the server asks to wait, in seconds; at most five minutes are believed.
    package var retryAfter: Int? {
        guard case .status(_, _, let status, let header) = self else { return nil }
        return (header ?? status.details?.retryAfterSeconds).map { min(max($0, 0), 300) }
    }
}
