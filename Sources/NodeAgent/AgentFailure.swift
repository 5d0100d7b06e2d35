package import ClusterModel
internal import HTTPModel
package import KubernetesClient
package import LinuxSystem
internal import NodePlan
internal import TLSEngine
internal import TendrilCore

/// Why a phase did not come to its end: one cause that a person can act on.
package struct AgentFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure it is, as it is shown and counted.
    package enum Cause: String, Codable, Sendable {
        case invalidConfiguration = "invalid-configuration"
        case missingProgram = "missing-program"
        case clock
        case noRoute = "no-route"
        case untrusted
        case wrongPin = "wrong-pin"
        case tokenMissing = "token-missing"
        case tokenRejected = "token-rejected"
        case forbidden
        case denied
        case undecided
        /// For leave to disturb pods.
        case waiting
        case noDesiredState = "no-desired-state"
        case forged
        case outdated
        case foreignPool = "foreign-pool"
        case badDesiredState = "bad-desired-state"
        /// An image that cannot be had, or does not hold what it is to hold.
        case image
        case disk
        /// A unit that does not do what it is told.
        case unit
        /// systemd itself does not answer.
        case systemd
        case unhealthy
        case api
        case system
    }

    package let cause: Cause
    /// One line for people, without secrets.
    package let message: String
    /// What may be over soon without anybody's help, and how that can be noticed cheaply.
    package var probe: Probe {
        switch cause {
        case .noRoute: .connection
        case .disk: .disk
        case .systemd: .systemd
        default: .none
        }
    }

    /// Whether it is what is wanted that is not taken.
    var isRefusal: Bool {
        [.noDesiredState, .forged, .outdated, .foreignPool, .badDesiredState].contains(cause)
    }

    /// Whether the API server gave no answer, or none that helps.
    var isSilence: Bool { [.noRoute, .untrusted, .api].contains(cause) }

    /// How the end of a fault can be noticed without trying everything again.
    package enum Probe: Sendable {
        case none
        case connection
        case disk
        case systemd
    }

    package init(_ cause: Cause, _ message: String) {
        self.cause = cause
        self.message = String((message.split(separator: "\n").first ?? "").prefix(500))
    }

    package var description: String { message }

    /// The exit code of a phase that failed, as docs/operations.md lists them.
    package static func exitCode(of phase: BootstrapPhase) -> Int32 {
        20 + Int32(BootstrapPhase.allCases.firstIndex(of: phase) ?? 0)
    }

    /// Finds the cause of an error of the API.
    package init(_ error: APIError, doing what: String) {
        switch error {
        case .transfer(let transfer) where transfer.kind == .untrusted:
            self.init(.untrusted, "\(what): the API server's certificate is not believed: \(transfer.reason)")
        case .transfer(let transfer):
            self.init(.noRoute, "\(what): no API server answers: \(transfer.description)")
        case .status(401, _, _, _):
            self.init(
                .tokenRejected,
                "\(what): the API server does not take the credential: unknown, expired or used up"
            )
        case .status(403, _, let status, _):
            self.init(.forbidden, "\(what): forbidden: \(status.message ?? "no reason given")")
        default:
            self.init(.api, "\(what): \(error)")
        }
    }

    /// Finds the cause of an error of the machine.
    package init(_ error: SystemError) {
        // ENOSPC, EROFS, EIO, EDQUOT (errno(3))
        let isDisk = [28, 30, 5, 122].contains(error.code)
        self.init(isDisk ? .disk : .system, error.description)
    }

    /// Finds the cause of any error.
    package init(_ error: any Error, doing what: String) {
        switch error {
        case let failure as AgentFailure: self = failure
        case let error as APIError: self.init(error, doing: what)
        case let error as SystemError: self.init(error)
        case let error as ConfigurationProblem: self.init(.badDesiredState, "\(what): \(error)")
        case let error as TLSError: self.init(.system, "\(what): \(error)")
        default: self.init(.system, "\(what): \(error)")
        }
    }
}

/// Does something; whatever it throws becomes the failure to do it.
///
/// - Parameters:
///   - what: in words.
///   - body: does it.
/// - Returns: what `body` returns.
/// - Throws: `AgentFailure`.
func attempt<Value>(_ what: String, _ body: () throws -> Value) throws(AgentFailure) -> Value {
    do { return try body() } catch { throw AgentFailure(error, doing: what) }
}

/// Does something that waits, as `attempt` does what does not.
func attempting<Value>(_ what: String, _ body: () async throws -> Value) async throws(AgentFailure) -> Value {
    do { return try await body() } catch { throw AgentFailure(error, doing: what) }
}
