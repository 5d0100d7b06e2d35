internal import ClusterModel
import NodeAgent

/// The status for people.
enum StatusTable {
    static func text(_ status: AgentStatus) -> String {
        var rows: [(String, String)] = [
            ("Machine", status.machine), ("Pool", status.pool), ("Cluster", status.cluster),
            ("Version", status.version),
            ("Phase", status.phase.rawValue),
            ("Generation", status.generation.map { "\($0)" } ?? "none yet"),
        ]
        if let pending = status.pendingGeneration { rows.append(("On its way", "generation \(pending)")) }
        if let expiry = status.certificateExpiry { rows.append(("Certificate", "until \(expiry)")) }
        if let error = status.error { rows.append(("Error", error)) }
        if let cause = status.cause { rows.append(("Cause", cause.rawValue)) }
        if status.attempts > 0 { rows.append(("Attempts", "\(status.attempts)")) }
        rows.append(("Updated", status.updatedAt))
        let width = rows.map(\.0.count).max() ?? 0
        let lines = rows.map { name, value in
            name + String(repeating: " ", count: width - name.count) + "  " + value
        }
        let timings = status.timings.map { "  \($0.phase.rawValue) \($0.milliseconds) ms" }
        return (lines + (timings.isEmpty ? [] : ["Phases done, since the agent's start:"] + timings)).joined(
            separator: "\n"
        )
    }
}
