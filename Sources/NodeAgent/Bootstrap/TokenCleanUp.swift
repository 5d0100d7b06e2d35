internal import FoundationEssentials
internal import Glibc
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
}

/// Looks for byte strings in a content that comes piece by piece.
package struct FormSearch {
    private let forms: [[UInt8]]
    /// As much of what came before as the beginning of a form can be in.
    private let overlap: Int
    private var window: [UInt8] = []
    /// Where the window begins in the content.
    private var offset = 0
    /// Where forms are.
    package private(set) var found: Set<Range<Int>> = []

    /// Looks for these; forms shorter than 16 bytes are left out.
    package init(_ forms: [[UInt8]]) {
        self.forms = forms.filter { $0.count >= 16 }
        overlap = max(0, (self.forms.map(\.count).max() ?? 0) - 1)
    }

    /// Takes the next piece.
    package mutating func take(_ piece: UnsafeRawBufferPointer) {
        let kept = window.suffix(overlap)
        offset += window.count - kept.count
        window = Array(kept) + piece
        for form in forms where form.count <= window.count {
            for start in 0...(window.count - form.count) where window[start] == form[0] {
                let range = start..<(start + form.count)
                if window[range].elementsEqual(form) {
                    found.insert((range.lowerBound + offset)..<(range.upperBound + offset))
                }
            }
        }
    }
}

/// Programs and files that have to be there.
enum Program {
    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
}
