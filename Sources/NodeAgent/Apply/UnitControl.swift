internal import LinuxSystem
package import NodePlan
internal import TendrilCore

/// What is asked of systemd; every call ends within a bounded time.
package protocol UnitControl: Sendable {
    func observe(_ units: [String]) throws -> [String: UnitReport]
    func reload() throws
    /// One of the steps that name a unit.
    func perform(_ verb: UnitVerb, _ unit: String) throws
    func isAnswering() -> Bool
}

/// What can be done to a unit (systemctl(1)).
package enum UnitVerb: String, Sendable {
    case enable, disable, start, stop, restart
}

/// What systemd says of a unit (org.freedesktop.systemd1(5)).
package struct UnitReport: Hashable, Sendable {
    package var load: String
    package var active: String
    package var sub: String
    package var file: String

    package init(load: String, active: String, sub: String, file: String) {
        (self.load, self.active, self.sub, self.file) = (load, active, sub, file)
    }

    package var observed: ObservedUnit {
        ObservedUnit(
            isActive: ["active", "activating", "reloading"].contains(active),
            isEnabled: ["enabled", "enabled-runtime", "static", "alias", "generated"].contains(file)
        )
    }

    package var hasFailed: Bool { active == "failed" }
}

/// Speaks to systemd through systemctl.
package struct Systemctl: UnitControl {
    static let path = "/usr/bin/systemctl"

    /// How long systemd may take for what it only has to look up.
    private static let answerTime = Nanoseconds.seconds(5)

    private let timeout: Nanoseconds

    /// Waits for each call at most `seconds`.
    package init(timeoutSeconds seconds: UInt64 = 90) { timeout = .seconds(seconds) }

    package func observe(_ units: [String]) throws -> [String: UnitReport] {
        guard !units.isEmpty else { return [:] }
        let arguments = ["show", "--property=Id,LoadState,ActiveState,SubState,UnitFileState", "--"] + units
        let output = try run(arguments, atMost: Self.answerTime)
        // One block a unit, in the order asked for; Id may be another name of it.
        let blocks = output.split(separator: "\n\n", omittingEmptySubsequences: true)
        var reports: [String: UnitReport] = [:]
        for (unit, block) in zip(units, blocks) {
            var fields: [Substring: String] = [:]
            for line in block.split(separator: "\n") {
                guard let equals = line.firstIndex(of: "=") else { continue }
                fields[line[..<equals]] = String(line[line.index(after: equals)...])
            }
            reports[unit] = UnitReport(
                load: fields["LoadState"] ?? "",
                active: fields["ActiveState"] ?? "",
                sub: fields["SubState"] ?? "",
                file: fields["UnitFileState"] ?? ""
            )
        }
        return reports
    }

    package func reload() throws { try change(["daemon-reload"]) }

    package func perform(_ verb: UnitVerb, _ unit: String) throws {
        if verb == .restart || verb == .start {
            // A unit that failed too often is not started again without this.
            _ = try? run(["reset-failed", "--", unit], atMost: Self.answerTime)
        }
        try change([verb.rawValue, "--", unit])
    }

    private func change(_ arguments: [String]) throws {
        // What is under way when systemd hangs looks like a unit that does not start.
        guard isAnswering() else { throw AgentFailure(.systemd, "systemd does not answer") }
        _ = try run(arguments, atMost: timeout)
    }

    private func run(_ arguments: [String], atMost timeout: Nanoseconds) throws -> String {
        let what = "systemctl \(arguments[0]) \(arguments.last ?? "")"
        let outcome: ChildProcess.Outcome
        do throws(SystemError) {
            outcome = try ChildProcess.run(Self.path, arguments, timeout: timeout, limit: 256 * 1024)
        } catch {
            guard isAnswering() else { throw AgentFailure(.systemd, "systemd does not answer: \(error)") }
            throw AgentFailure(.unit, "\(what): \(error)")
        }
        guard outcome.isSuccess else {
            let reason = outcome.output.split(separator: "\n").first ?? "exit code \(outcome.code)"
            throw AgentFailure(.unit, "\(what): \(reason)")
        }
        return outcome.output
    }

    /// Whether systemd itself answers; it does so at once, or not at all.
    package func isAnswering() -> Bool {
        let arguments = ["show", "--property=Version"]
        return (try? ChildProcess.run(Self.path, arguments, timeout: Self.answerTime))?.isSuccess == true
    }
}
