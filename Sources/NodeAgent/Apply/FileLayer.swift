package import LinuxSystem
package import NodePlan
internal import TLSEngine

/// The changes to a file system of which applying consists; each is one call that may fail, or be the last one.
package protocol FileLayer: Sendable {
    func kind(_ path: String) throws -> ConfinedFiles.Kind
    func read(_ path: String, limit: Int) throws -> [UInt8]?
    func makeDirectories(for path: String) throws
    func createTemporary(for path: String, _ content: [UInt8], mode: UInt32) throws
    func syncTemporary(for path: String) throws
    func publish(_ path: String) throws
    func remove(_ path: String) throws
    func removeTemporary(for path: String) throws
    func syncDirectory(of path: String) throws
    /// The names in a directory; none where it does not exist.
    func list(_ directory: String) throws -> [String]
}

extension FileLayer {
    /// Gives a file a new content: after a crash it has the old one or the new one.
    package func replace(_ path: String, _ content: [UInt8], mode: UInt32) throws {
        try makeDirectories(for: path)
        try createTemporary(for: path, content, mode: mode)
        do {
            try syncTemporary(for: path)
            try publish(path)
        } catch {
            try? removeTemporary(for: path)
            throw error
        }
        try syncDirectory(of: path)
    }

    /// What is at a path, as a planner wants it, with the content of a file.
    package func observe(_ path: String) throws -> (file: ObservedFile, content: [UInt8]) {
        switch try kind(path) {
        case .absent: return (.absent, [])
        case .other(let words): return (.foreign(words), [])
        case .file(let mode):
            guard let content = try read(path, limit: 16 << 20) else { return (.absent, []) }
            return (.file(digest: Digest.hex(content), mode: mode), content)
        }
    }
}

extension ConfinedFiles: FileLayer {
    package func makeDirectories(for path: String) throws {
        // State is nobody else's business.
        try makeDirectories(for: path, mode: path.hasPrefix(AgentPaths.state + "/") ? 0o700 : 0o755)
    }
}
