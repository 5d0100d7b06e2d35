internal import LinuxSystem
internal import TendrilCore

/// The pods that a kubelet leaves behind when it stops.
package enum PodSandboxes {
    /// Ends and removes every task and container of Kubernetes in containerd.
    ///
    /// - Parameter program: containerd's client; where there is none, no pods are.
    /// - Throws: `AgentFailure` where containerd does not say what there is, or something cannot be removed: pods may go
    ///   on, and write to what is to go.
    package static func removeAll(_ program: String = ImageFiles.client) throws(AgentFailure) {
        guard Program.exists(program) else { return }
        let client = ContainerdClient(program: program)
        try client.removeAll("tasks") { [["kill", "--signal", "SIGKILL", "--all", $0], ["delete", "--force", $0]] }
        try client.removeAll("containers") { [["delete", $0]] }
    }
}

/// containerd's client, for what is Kubernetes' there.
private struct ContainerdClient {
    let program: String

    /// Removes all of a kind, and asks again until none are left.
    ///
    /// - Parameters:
    ///   - kind: the client's word for it.
    ///   - commands: what removes one of this name.
    /// - Throws: `AgentFailure` where nobody answers, or no fewer are left than before.
    func removeAll(_ kind: String, _ commands: (String) -> [[String]]) throws(AgentFailure) {
        var names = try list(kind)
        while !names.isEmpty {
            var problem = "no reason given"
            for command in names.flatMap(commands) { problem = complaint([kind] + command) ?? problem }
            let left = try list(kind)
            guard left.count < names.count else {
                throw AgentFailure(.unhealthy, "\(left.count) \(kind) stay, and pods may still run: \(problem)")
            }
            names = left
        }
    }

    private func list(_ kind: String) throws(AgentFailure) -> [String] {
        let reason: String
        do throws(SystemError) {
            let outcome = try run([kind, "list", "--quiet"])
            if outcome.isSuccess {
                // Warnings stand in between; a name has no spaces.
                return outcome.output.split(separator: "\n").filter { !$0.contains(" ") }.map(String.init)
            }
            reason = Self.reason(outcome)
        } catch {
            reason = "\(error)"
        }
        throw AgentFailure(.unhealthy, "containerd does not answer, and pods may still run: \(reason)")
    }

    /// Why a command does not do what it is to do; `nil` where it does.
    private func complaint(_ command: [String]) -> String? {
        do throws(SystemError) {
            let outcome = try run(command)
            return outcome.isSuccess ? nil : Self.reason(outcome)
        } catch {
            return "\(error)"
        }
    }

    private func run(_ command: [String]) throws(SystemError) -> ChildProcess.Outcome {
        // A list has 65 bytes for each name.
        try ChildProcess.run(program, ["-n", "k8s.io"] + command, timeout: .seconds(20), limit: 4 << 20)
    }

    private static func reason(_ outcome: ChildProcess.Outcome) -> String {
        String(outcome.output.split(separator: "\n").last ?? "exit code \(outcome.code)")
    }
}
