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
