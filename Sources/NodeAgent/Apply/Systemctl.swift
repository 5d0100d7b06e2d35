internal import LinuxSystem
internal import TendrilCore

/// Speaks to systemd through systemctl.
package struct Systemctl: UnitControl {
    package static let path = "/usr/bin/systemctl"

    private let program: String
    /// How long a change may take.
    private let timeout: Nanoseconds
    /// How long systemd may take for what it only has to look up.
    private let answerTime: Nanoseconds

    /// Waits for each call at most so many seconds; `program` is systemctl.
    package init(timeoutSeconds: UInt64 = 90, answerSeconds: UInt64 = 5, program: String = Self.path) {
        (timeout, answerTime) = (.seconds(timeoutSeconds), .seconds(answerSeconds))
        self.program = program
    }

    package func observe(_ units: [String]) throws -> [String: UnitReport] {
        guard !units.isEmpty else { return [:] }
        let arguments = ["show", "--property=Id,LoadState,ActiveState,SubState,UnitFileState", "--"] + units
        let output = try run(arguments, isLookUp: true)
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
            _ = try? run(["reset-failed", "--", unit], isLookUp: true)
        }
        try change([verb.rawValue, "--", unit])
    }

    private func change(_ arguments: [String]) throws {
        // What is under way when systemd hangs looks like a unit that does not start.
        guard isAnswering() else { throw AgentFailure(.systemd, "systemd does not answer") }
        _ = try run(arguments, isLookUp: false)
    }

    private func run(_ arguments: [String], isLookUp: Bool) throws -> String {
        let limit = isLookUp ? answerTime : timeout
        let outcome: ChildProcess.Outcome
        let reason: String
        do throws(SystemError) {
            outcome = try ChildProcess.run(program, arguments, timeout: limit, limit: 256 * 1024)
            if outcome.isSuccess { return outcome.output }
            reason = String(outcome.output.split(separator: "\n").first ?? "exit code \(outcome.code)")
        } catch {
            // A look-up waits for no unit: what it takes too long for is systemd's own affair.
            guard error.isTimeout, !isLookUp else {
                throw AgentFailure(.systemd, "systemd does not answer: \(error)")
            }
            reason = "\(error)"
        }
        guard isAnswering() else { throw AgentFailure(.systemd, "systemd does not answer: \(reason)") }
        throw AgentFailure(.unit, "systemctl \(arguments[0]) \(arguments.last ?? ""): \(reason)")
    }

    /// Whether systemd itself answers; it does so at once, or not at all.
    package func isAnswering() -> Bool {
        let arguments = ["show", "--property=Version"]
        return (try? ChildProcess.run(program, arguments, timeout: answerTime))?.isSuccess == true
    }
}
