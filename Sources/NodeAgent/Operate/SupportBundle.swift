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

/// Takes secrets out of texts.
package enum Redaction {
    /// The text without bootstrap tokens, bearer tokens, private keys and what is called a password.
    package static func clean(_ text: String) -> String {
        var isKey = false
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line -> String in
            if line.contains("PRIVATE KEY-----") {
                isKey = line.contains("BEGIN")
                return "[private key left out]"
            }
            if isKey { return "" }
            return words(in: String(line))
        }
        return lines.joined(separator: "\n")
    }

    private static func words(in line: String) -> String {
        var result = ""
        var word = ""
        var hidesNext = false
        func flush() {
            guard !word.isEmpty else { return }
            result += hidesNext || isSecret(word) ? "[left out]" : word
            hidesNext = ["bearer", "token", "password", "passwd", "secret", "token-secret"].contains(word.lowercased())
            word = ""
        }
        for character in line {
            if character.isLetter || character.isNumber || "-._~+/".contains(character) {
                word.append(character)
            } else {
                flush()
                result.append(character)
            }
        }
        flush()
        return result
    }

    /// Whether a word has the form of a bootstrap token or of a JSON Web Token.
    private static func isSecret(_ word: String) -> Bool {
        let parts = word.split(separator: ".", omittingEmptySubsequences: false)
        func isPlain(_ part: Substring, _ count: Int) -> Bool {
            part.utf8.count == count && part.utf8.allSatisfy { $0.isLowercase || $0.isDigit }
        }
        if parts.count == 2, isPlain(parts[0], 6), isPlain(parts[1], 16) { return true }
        return word.hasPrefix("eyJ") && parts.count == 3
    }
}

/// An archive as POSIX.1-1988 has it (ustar).
struct TarArchive {
    private var bytes: [UInt8] = []

    /// Adds a file; the name is cut to 100 bytes.
    mutating func add(_ name: String, _ text: String) {
        let content = Array(text.utf8)
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int) {
            header.replaceSubrange(offset..<(offset + text.utf8.count), with: text.utf8)
        }
        func octal(_ value: Int, _ width: Int) -> String {
            let digits = String(value, radix: 8)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        put(String(decoding: Array(name.utf8.prefix(100)), as: UTF8.self), at: 0)
        put("0000600", at: 100)
        put("0000000", at: 108)
        put("0000000", at: 116)
        put(octal(content.count, 11), at: 124)
        put(octal(Int(Clock.unixTime()), 11), at: 136)
        put("        ", at: 148)
        put("0", at: 156)
        put("ustar", at: 257)
        put("00", at: 263)
        let sum = header.reduce(0) { $0 + Int($1) }
        put(octal(sum, 6), at: 148)
        header[154] = 0
        bytes += header + content + [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
    }

    /// The whole archive.
    var finished: [UInt8] { bytes + [UInt8](repeating: 0, count: 1024) }
}
