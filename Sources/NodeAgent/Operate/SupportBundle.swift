internal import LinuxSystem
internal import NodePlan
internal import TendrilCore

/// Collects what helps to understand a stuck machine, without secrets.
package enum SupportBundle {
    /// Runs of programs whose output is collected.
    private static let runs: [(name: String, program: String, arguments: [String])] = [
        ("agent.log", "/usr/bin/journalctl", ["--no-pager", "--unit=tendril-agent", "--lines=2000"]),
        ("kubelet.log", "/usr/bin/journalctl", ["--no-pager", "--unit=kubelet", "--lines=2000"]),
        ("tunnel.log", "/usr/bin/journalctl", ["--no-pager", "--unit=tendril-vpn", "--lines=2000"]),
        ("containerd.log", "/usr/bin/journalctl", ["--no-pager", "--unit=containerd", "--lines=500"]),
        ("cloud-init.log", "/usr/bin/journalctl", ["--no-pager", "--unit=cloud-final", "--lines=500"]),
        ("failed-units.txt", "/usr/bin/systemctl", ["--no-pager", "--failed"]),
        (
            "units.txt", "/usr/bin/systemctl",
            ["--no-pager", "status", "tendril-agent", "tendril-vpn", "kubelet", "containerd"]
        ),
        ("addresses.txt", "/usr/sbin/ip", ["address"]),
        ("routes.txt", "/usr/sbin/ip", ["route", "show", "table", "all"]),
        ("disk.txt", "/usr/bin/df", ["-h"]),
        ("memory.txt", "/usr/bin/free", ["-m"]),
        ("time.txt", "/usr/bin/date", ["-u", "--rfc-3339=seconds"]),
    ]

    /// Files that hold no secrets.
    private static let paths = [
        AgentPaths.progress, AgentPaths.status, AgentPaths.rejected, AgentPaths.authority, "/etc/os-release",
        "/proc/version", "/proc/mounts",
    ]

    /// Writes an archive (POSIX ustar) with mode 0600.
    package static func write(to path: String) throws {
        var archive = TarArchive()
        for run in runs {
            let outcome = try? ChildProcess.run(run.program, run.arguments, timeout: .seconds(20), limit: 2 << 20)
            archive.add(run.name, Redaction.clean(outcome?.output ?? "could not be run\n"))
        }
        for path in paths {
            guard let bytes = try? DurableFile.read(path, limit: 4 << 20) else { continue }
            archive.add("files" + path, Redaction.clean(String(decoding: bytes, as: UTF8.self)))
        }
        if let manifest = try? Applier(files: ConfinedFiles(), units: Systemctl()).manifest() {
            let touched = manifest.files.keys.sorted() + manifest.units.keys.sorted()
            archive.add("touched.txt", touched.joined(separator: "\n") + "\n")
        }
        try DurableFile.write(archive.finished, to: path, mode: 0o600)
    }
}
