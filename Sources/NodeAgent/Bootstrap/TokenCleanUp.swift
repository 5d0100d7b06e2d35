internal import LinuxSystem
internal import Logging
internal import NodePlan
internal import TendrilCore

/// Removes the bootstrap token from the disk: its file, and every copy of the user data that cloud-init keeps.
package struct TokenCleanUp: Sendable {
    /// Where cloud-init keeps user data (cloud-init documentation, "Files and directories").
    package static let places = ["/var/lib/cloud", "/run/cloud-init"]

    private let context: AgentContext

    package init(_ context: AgentContext) { self.context = context }

    /// Removes the token; nothing happens where there is none.
    ///
    /// A copy that cannot be removed is told, and left.
    package func run() throws(AgentFailure) {
        let path = context.configuration.tokenFile ?? AgentConfiguration.tokenPath
        try attempt("remove the token") {
            guard let bytes = try context.files.read(path, limit: 4096) else { return }
            let token = bytes.prefix { $0 != 0x0A && $0 != 0x0D && $0 != 0x20 }
            if token.count >= 23 {
                let forms = TokenForms.all(Array(token))
                for place in Self.places { scrub(place, of: forms) }
            }
            // Last, so that a stop before it begins again.
            try context.files.remove(path)
            try context.files.syncDirectory(of: path)
        }
    }

    /// Overwrites every form in a file, or in all files below a directory.
    private func scrub(_ path: String, of forms: [[UInt8]]) {
        do {
            switch try context.files.kind(path) {
            case .absent: return
            case .other:
                // What is no directory has no names in it.
                for name in (try? context.files.list(path)) ?? [] { scrub("\(path)/\(name)", of: forms) }
            case .file:
                var search = FormSearch(forms)
                _ = try context.files.forEachChunk(of: path) { search.take($0) }
                // In its place: what it is called and how long it is stays, and whoever writes to it goes on.
                if !search.found.isEmpty {
                    try context.files.overwrite(path, search.found, with: UInt8(ascii: "x"))
                }
            }
        } catch {
            context.logger.warning(
                "the token may still be in a file",
                metadata: ["path": "\(path)", "reason": "\(error)"]
            )
        }
    }
}
