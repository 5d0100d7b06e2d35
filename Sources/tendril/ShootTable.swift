import ClusterModel
import Glibc

/// Shoots for people.
enum ShootTable {
    /// One line a shoot.
    static func text(_ shoots: [Shoot]) -> String {
        let head = ["NAME", "VERSION", "SEED", "OPERATION", "PROGRESS", "API", "PLANE", "NODES", "SYSTEM"]
        let rows = shoots.map { shoot -> [String] in
            let operation = shoot.status?.lastOperation
            return [
                shoot.name, shoot.spec.kubernetes.version, shoot.status?.seedName ?? shoot.spec.seedName ?? "-",
                operation.map { "\($0.type.rawValue) \($0.state.rawValue)" } ?? "-",
                operation.map { "\($0.progress) %" } ?? "-",
            ] + ShootCondition.allCases.map { status(shoot, $0) }
        }
        return TextTable.aligned([head] + rows)
    }

    /// Everything about one shoot.
    static func details(_ shoot: Shoot) -> String {
        var lines = [text([shoot])]
        if let operation = shoot.status?.lastOperation, operation.state != .succeeded {
            lines.append("\n\(operation.type.rawValue): \(operation.description)")
        }
        for error in shoot.status?.lastErrors ?? [] {
            lines.append("\(error.code.rawValue)  \(error.task): \(error.description)")
        }
        for condition in shoot.status?.conditions ?? []
        where condition.status != "True" || condition.type == ShootCondition.authoritiesExpire {
            lines.append("\(condition.type): \(condition.message ?? "")")
        }
        if let rotation = shoot.status?.credentialRotation, rotation.phase != .completed {
            lines.append("credential rotation: \(rotation.phase.rawValue), begun at \(rotation.startTime ?? "?")")
        }
        for address in shoot.status?.advertisedAddresses ?? [] { lines.append("\n\(address.name): \(address.url)") }
        return lines.joined(separator: "\n")
    }

    /// One line for a person who watches.
    static func progress(_ shoot: Shoot) -> String {
        guard let operation = shoot.status?.lastOperation else { return "waiting for a coordinator" }
        let done = min(max(operation.progress, 0), 100) / 5
        let bar = String(repeating: "=", count: done) + String(repeating: " ", count: 20 - done)
        return
            "[\(bar)] \(operation.progress) %  \(operation.type.rawValue) \(operation.state.rawValue): \(operation.description)"
    }

    private static func status(_ shoot: Shoot, _ type: ShootCondition) -> String {
        shoot.status?.conditions?.first { $0.type == type.rawValue }?.status ?? "-"
    }
}

/// Rows of cells for people.
enum TextTable {
    /// A line for each row, with columns as wide as their widest cell.
    static func aligned(_ rows: [[String]]) -> String {
        let widths = (rows.first ?? []).indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            return String(cells.joined(separator: "  ").reversed().drop { $0 == " " }.reversed())
        }.joined(separator: "\n")
    }
}

/// Whether somebody looks at the output.
enum Terminal {
    static var isThere: Bool { isatty(STDOUT_FILENO) == 1 }

    /// Shows what was printed without a line's end.
    static func flush() { fflush(nil) }
}
