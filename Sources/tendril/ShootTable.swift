import ClusterModel
import CommandSupport
import ShootPlan
import TendrilCore

/// Shoots for people; what machines and others have written into them is shown in printable ASCII.
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
        if let notice = shoot.pauseNotice { lines += ["", printable(notice)] }
        if let operation = shoot.status?.lastOperation, operation.state != .succeeded {
            lines += ["", printable("\(operation.type.rawValue): \(operation.description)")]
        }
        for error in shoot.status?.lastErrors ?? [] {
            lines.append("\(shown(error.code.rawValue, .bad))  \(printable("\(error.task): \(error.description)"))")
        }
        for condition in shoot.status?.conditions ?? [] {
            let isWell = condition.status == "True" && !ShootCondition.warnings.contains(condition.type)
            let shade: Shade = condition.status == "False" ? .bad : isWell ? .good : .uncertain
            let since = condition.lastTransitionTime.map { " (since \($0))" } ?? ""
            lines.append(shown(condition.type, shade) + printable(": \(condition.message ?? "")\(since)"))
        }
        if let rotation = shoot.status?.credentialRotation, rotation.phase != .completed {
            let begin = rotation.startTime ?? "?"
            lines.append(printable("credential rotation: \(rotation.phase.rawValue), begun at \(begin)"))
        }
        if let last = shoot.status?.snapshots?.first {
            lines.append(printable("last snapshot: \(last.name), \(size(last.size)), made at \(last.time)"))
        }
        if let restoration = shoot.status?.restoration, restoration.phase != .completed {
            let reason = restoration.message.map { ": \($0)" } ?? ""
            let what = "restoration of \(restoration.snapshot): \(restoration.phase.rawValue)"
            lines.append(printable("\(what), begun at \(restoration.startTime)\(reason)"))
        }
        for address in shoot.status?.advertisedAddresses ?? [] {
            lines += ["", printable("\(address.name): \(address.url)")]
        }
        return lines.joined(separator: "\n")
    }

    /// The snapshots of a shoot that its status names.
    static func snapshots(_ shoot: Shoot) -> String {
        let rows = (shoot.status?.snapshots ?? []).map { [$0.name, $0.time, size($0.size)] }
        return TextTable.aligned([["SNAPSHOT", "MADE", "SIZE"]] + rows)
    }

    /// A size in whole units; the next larger one is for ten of it and more.
    private static func size(_ bytes: Int) -> String {
        let units = ["KiB", "MiB", "GiB"]
        let index = (0..<2).first { max(bytes, 0) >> (10 * ($0 + 1)) < 10_240 } ?? 2
        return "\(max(bytes, 0) >> (10 * (index + 1))) \(units[index])"
    }

    /// One line for a person who watches.
    static func progress(_ shoot: Shoot) -> String {
        if let notice = shoot.pauseNotice { return notice }
        guard let operation = shoot.status?.lastOperation else { return "waiting for a coordinator" }
        let done = min(max(operation.progress, 0), 100) / 5
        let bar = String(repeating: "=", count: done) + String(repeating: " ", count: 20 - done)
        let what = "\(operation.type.rawValue) \(operation.state.rawValue): \(operation.description)"
        return printable("[\(bar)] \(operation.progress) %  \(what)")
    }

    private static func printable(_ text: String) -> String { PrintableText.make(text.utf8) }

    /// A word in a colour, where there are colours.
    private static func shown(_ text: String, _ shade: Shade) -> String {
        let text = printable(text)
        return Terminal.hasColour ? shade.paint(text) : text
    }

    private static func status(_ shoot: Shoot, _ type: ShootCondition) -> String {
        shoot.status?.conditions?[type.rawValue]?.status ?? "-"
    }
}
