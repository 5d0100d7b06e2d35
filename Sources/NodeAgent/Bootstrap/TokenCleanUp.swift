internal import FoundationEssentials
internal import Glibc
internal import LinuxSystem
internal import NodePlan
internal import TendrilCore

/// Removes the bootstrap token from the disk: its file, and every copy of the user data that cloud-init keeps.
package struct TokenCleanUp: Sendable {
    /// Where cloud-init keeps user data (cloud-init documentation, "Files and directories").
    package static let places = ["/var/lib/cloud", "/run/cloud-init"]

    private let context: AgentContext

    package init(_ context: AgentContext) { self.context = context }

    /// Removes the token; nothing happens where there is none.
    package func run() throws(AgentFailure) {
        let path = context.configuration.tokenFile ?? AgentConfiguration.tokenPath
        do {
            guard let bytes = try context.files.read(path, limit: 4096) else { return }
            let token = bytes.prefix { $0 != 0x0A && $0 != 0x0D && $0 != 0x20 }
            if token.count >= 23 {
                for place in Self.places { try scrub(Array(token), below: place) }
            }
            // Last, so that a stop before it begins again.
            try context.files.remove(path)
            try context.files.syncDirectory(of: path)
        } catch {
            throw AgentFailure(error, doing: "remove the token")
        }
    }

    private func scrub(_ token: [UInt8], below directory: String) throws {
        let forms = TokenForms.all(token)
        try FileTree.forEachFile(below: directory) { path in
            guard case .file(let mode) = try context.files.kind(path),
                let content = try context.files.read(path, limit: 16 << 20),
                let clean = TokenForms.scrubbed(content, of: forms)
            else { return }
            // In place of the old file: what it is called and how long it is stays.
            try context.files.replace(path, clean, mode: mode)
        }
    }
}

/// The byte strings in which a token can stand in a file.
package enum TokenForms {
    /// Itself, and what base64 makes of it at each of the three places within a group of three bytes.
    package static func all(_ token: [UInt8]) -> [[UInt8]] {
        [token]
            + (0..<3).map { shift in
                let text = Array(Data([UInt8](repeating: 0, count: shift) + token).base64EncodedString().utf8)
                // The first and last symbols also hold bits of the neighbours.
                let first = (shift * 8 + 5) / 6
                let last = (shift + token.count) * 8 / 6
                return Array(text[first..<last])
            }
    }

    /// The content with every form overwritten; `nil` where there is none.
    package static func scrubbed(_ content: [UInt8], of forms: [[UInt8]]) -> [UInt8]? {
        var result = content
        var isChanged = false
        for form in forms where form.count >= 16 && form.count <= result.count {
            var start = 0
            while start + form.count <= result.count {
                if result[start] == form[0], result[start..<(start + form.count)].elementsEqual(form) {
                    for index in start..<(start + form.count) { result[index] = UInt8(ascii: "x") }
                    isChanged = true
                    start += form.count
                } else {
                    start += 1
                }
            }
        }
        return isChanged ? result : nil
    }
}

/// Programs and files that have to be there.
enum Program {
    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
}
