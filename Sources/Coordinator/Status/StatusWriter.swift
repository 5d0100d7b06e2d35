package import ClusterModel
package import KubernetesClient
internal import LinuxSystem
package import Logging
internal import ShootPlan
internal import TendrilCore

/// Writes a shoot's status as its work goes on; only what changed, and only the newest.
package actor StatusWriter: FlowObserver {
    private let garden: KubernetesClient
    private let shoot: Shoot
    private let type: ShootStatus.OperationType
    private let logger: Logger
    private var written: JSONValue?

    /// Takes a shoot, and what is done with it.
    package init(garden: KubernetesClient, shoot: Shoot, type: ShootStatus.OperationType, logger: Logger) {
        (self.garden, self.shoot, self.type, self.logger) = (garden, shoot, type, logger)
    }

    package func progressed(_ percent: Int, running: [String]) async {
        let text = running.isEmpty ? "Looking at what is there" : running.joined(separator: ", ")
        // Who began hosts it from here on.
        let host: JSONValue = shoot.spec.seedName.map { ["seedName": .string($0)] } ?? [:]
        await write(operation(.processing, percent, text).merging(host))
    }

    /// The end of an operation; whether it could be told.
    @discardableResult
    func ended(_ state: ShootStatus.OperationState, _ percent: Int, _ text: String, with more: JSONValue) async -> Bool
    {
        await write(operation(state, percent, text).merging(more))
    }

    /// Tells why no flow could begin for a shoot.
    ///
    /// - Parameters:
    ///   - text: the reason for people.
    ///   - code: its kind.
    ///   - isFinal: whether it is not tried again.
    ///   - shoot: whose status is written.
    ///   - garden: where the shoot is.
    ///   - logger: hears why the status cannot be written.
    package static func tellFailure(
        _ text: String,
        _ code: ShootStatus.ErrorCode,
        isFinal: Bool,
        of shoot: Shoot,
        garden: KubernetesClient,
        logger: Logger
    ) async {
        let failure = ShootStatus.TaskError(
            task: ShootStatus.TaskError.preparation,
            code: code,
            description: text,
            lastUpdateTime: KubernetesTime.text(seconds: Clock.unixTime())
        )
        let status = StatusWriter(
            garden: garden,
            shoot: shoot,
            type: shoot.intent,
            logger: logger
        )
        let errors = (try? CanonicalJSON.value([failure])) ?? []
        await status.ended(isFinal ? .failed : .error, 0, text, with: ["lastErrors": errors])
    }

    private func operation(_ state: ShootStatus.OperationState, _ percent: Int, _ text: String) -> JSONValue {
        [
            "lastOperation": [
                "type": .string(type.rawValue), "state": .string(state.rawValue), "progress": .integer(percent),
                "description": .string(text), "generation": .integer(shoot.metadata.generation ?? 0),
            ]
        ]
    }

    /// Writes what is new; whether it is written.
    @discardableResult
    private func write(_ change: JSONValue) async -> Bool {
        guard change != written else { return true }
        written = change
        let time: JSONValue = [
            "lastOperation": ["lastUpdateTime": .string(KubernetesTime.text(seconds: Clock.unixTime()))]
        ]
        do throws(APIError) {
            try await garden.patchStatus(of: shoot, change.merging(time))
            return true
        } catch {
            // The work does not depend on it. Of one that is gone nobody wants to hear.
            if error.isNotFound { return true }
            written = nil
            logger.warning("cannot write the status", metadata: ["reason": "\(error)"])
            return false
        }
    }
}

extension Shoot {
    /// What is said to have failed where no flow could begin.
    var intent: ShootStatus.OperationType { isBeingDeleted ? .delete : .reconcile }
}

extension KubernetesClient {
    /// Changes fields of a shoot's status; null takes one away.
    @discardableResult
    func patchStatus(of shoot: Shoot, _ fields: JSONValue) async throws(APIError) -> Shoot {
        try await patch(
            Shoot.self,
            shoot.name,
            namespace: shoot.namespace,
            subresource: "status",
            ["status": fields]
        )
    }
}
