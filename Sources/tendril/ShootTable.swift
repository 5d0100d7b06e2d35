import ClusterModel
import CommandSupport
import ShootPlan

/// Shoots for people.
enum ShootTable {
    /// One line a shoot.
    static func text(_ shoots: [Shoot], withProjects: Bool = false) -> String {
        let columns = ["NAME", "VERSION", "SEED", "OPERATION", "PROGRESS", "API", "PLANE", "NODES", "SYSTEM"]
        let head = (withProjects ? ["PROJECT"] : []) + columns
        let rows = shoots.map { shoot -> [String] in
            let operation = shoot.status?.lastOperation
            return (withProjects ? [shoot.namespace] : []) + [
                shoot.name, shoot.spec.kubernetes.version, shoot.status?.seedName ?? shoot.spec.seedName ?? "-",
                operation.map { "\($0.type.rawValue) \($0.state.rawValue)" } ?? "-",
                operation.map { "\($0.progress) %" } ?? "-",
            ] + ShootCondition.allCases.map { status(shoot, $0) }
        }
        return TextTable.aligned([head] + rows, shaded: ["OPERATION", "API", "PLANE", "NODES", "SYSTEM"])
    }

    /// Everything about one shoot.
    static func details(_ shoot: Shoot) -> String {
        var lines = [text([shoot])]
        if let notice = shoot.pauseNotice { lines.append("\n\(notice)") }
        if let operation = shoot.status?.lastOperation, operation.state != .succeeded {
            lines.append("\n\(operation.type.rawValue): \(operation.description)")
        }
        for error in shoot.status?.lastErrors ?? [] {
            lines.append("\(shown(error.code.rawValue, .bad))  \(error.task): \(error.description)")
        }
        for condition in shoot.status?.conditions ?? [] {
            let isWell = condition.status == "True" && condition.type != ShootCondition.authoritiesExpire
            let shade: Shade = condition.status == "False" ? .bad : isWell ? .good : .uncertain
            let since = condition.lastTransitionTime.map { " (since \($0))" } ?? ""
            lines.append("\(shown(condition.type, shade)): \(condition.message ?? "")\(since)")
        }
        if let rotation = shoot.status?.credentialRotation, rotation.phase != .completed {
            lines.append("credential rotation: \(rotation.phase.rawValue), begun at \(rotation.startTime ?? "?")")
        }
        for address in shoot.status?.advertisedAddresses ?? [] { lines.append("\n\(address.name): \(address.url)") }
        return lines.joined(separator: "\n")
    }

    /// One line for a person who watches.
    static func progress(_ shoot: Shoot) -> String {
        if let notice = shoot.pauseNotice { return notice }
        guard let operation = shoot.status?.lastOperation else { return "waiting for a coordinator" }
        let done = min(max(operation.progress, 0), 100) / 5
        let bar = String(repeating: "=", count: done) + String(repeating: " ", count: 20 - done)
        return
            "[\(bar)] \(operation.progress) %  \(operation.type.rawValue) \(operation.state.rawValue): \(operation.description)"
    }

    /// A word in a colour, where there are colours.
    private static func shown(_ text: String, _ shade: Shade) -> String {
        Terminal.hasColour ? shade.paint(text) : text
    }

    private static func status(_ shoot: Shoot, _ type: ShootCondition) -> String {
        shoot.status?.conditions?.first { $0.type == type.rawValue }?.status ?? "-"
    }
}
