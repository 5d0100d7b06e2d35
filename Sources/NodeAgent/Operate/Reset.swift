internal import Glibc
internal import LinuxSystem
internal import NodePlan
internal import TendrilCore

/// Takes everything back that was ever done to the machine, by the manifest.
package struct Reset {
    private let isDryRun: Bool
    private let files: ConfinedFiles
    private let units = Systemctl()

    package init(isDryRun: Bool) throws {
        self.isDryRun = isDryRun
        files = try ConfinedFiles()
    }

    /// Resets, or only tells what would be done.
    ///
    /// - Returns: one line for every change.
    /// - Throws: what keeps it from going on; it can be run again.
    package func run() throws -> [String] {
        var lines: [String] = []
        func change(_ line: String, _ body: () throws -> Void) rethrows {
            lines.append(line)
            if !isDryRun { try body() }
        }
        let applier = Applier(files: files, units: units)
        let manifest = try applier.manifest()
        change("stop tendril-agent.service") { try? units.perform(.stop, "tendril-agent.service") }
        if manifest.units[KubeletPaths.unit] != nil {
            try change("stop \(KubeletPaths.unit) and all pods") {
                try? units.perform(.stop, KubeletPaths.unit)
                try PodSandboxes.removeAll()
            }
        }
        let plan = try applier.plan(to: .nothing)
        for step in plan.steps { lines.append(Self.words(step)) }
        if !isDryRun { try applier.carryOut(plan) }
        for path in KubeletCredentials.paths + [AgentConfiguration.tokenPath] where try files.kind(path) != .absent {
            try change("remove \(path)") { try files.remove(path) }
        }
        // A deep directory takes many.
        _ = Privileges.raiseDescriptorLimit()
        for directory in [KubeletPaths.certificates, "/var/lib/kubelet", AgentPaths.state]
        where Program.exists(directory) {
            var left: [String] = []
            change("empty \(directory)") { left = FileTree.removeContents(of: directory) }
            lines += left.map { "leave \($0), for something is still mounted there, or it cannot be opened" }
        }
        change("remove \(AgentPaths.status)") { try? files.remove(AgentPaths.status) }
        return lines
    }

    private static func words(_ source: DesiredFile.Source) -> String {
        switch source {
        case .bytes(let bytes): "\(bytes.count) bytes"
        case .image(let image): "from \(image.reference)"
        }
    }

    /// A step in words.
    static func words(_ step: Step) -> String {
        switch step {
        case .write(let path, let file):
            "write \(path) (\(words(file.source)), mode \(String(file.mode, radix: 8)))"
        case .restore(let path, .absent): "remove \(path)"
        case .restore(let path, .kept): "put \(path) back as it was"
        case .reloadUnits: "reload systemd's units"
        case .enable(let name): "enable \(name)"
        case .disable(let name): "disable \(name)"
        case .start(let name): "start \(name)"
        case .stop(let name): "stop \(name)"
        case .restart(let name): "restart \(name)"
        }
    }
}

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
