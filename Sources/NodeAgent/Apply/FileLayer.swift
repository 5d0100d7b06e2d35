package import LinuxSystem
package import NodePlan
internal import TLSEngine

/// The changes to a file system of which applying consists; each is one call that may fail, or be the last one.
package protocol FileLayer: Sendable {
    func kind(_ path: String) throws -> ConfinedFiles.Kind
    func read(_ path: String, limit: Int) throws -> [UInt8]?
    /// Hands over a file piece by piece; `false` where nothing is.
    func forEachChunk(of path: String, _ body: (UnsafeRawBufferPointer) -> Void) throws -> Bool
    func makeDirectories(for path: String) throws
    func createTemporary(for path: String, _ content: [UInt8], mode: UInt32) throws
    /// As `createTemporary`, with the content of another file; `false` where that is not there.
    func copyTemporary(for path: String, from source: String, mode: UInt32) throws -> Bool
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
        try finish(path)
    }

    /// Gives a file the content of another one; `false`, and nothing happens, where there is no other one.
    @discardableResult
    package func replace(_ path: String, from source: String, mode: UInt32) throws -> Bool {
        try makeDirectories(for: path)
        guard try copyTemporary(for: path, from: source, mode: mode) else { return false }
        try finish(path)
        return true
    }

    private func finish(_ path: String) throws {
        do {
            try syncTemporary(for: path)
            try publish(path)
        } catch {
            try? removeTemporary(for: path)
            throw error
        }
        try syncDirectory(of: path)
    }

    /// What is at a path, as a planner wants it.
    package func observe(_ path: String) throws -> ObservedFile {
        switch try kind(path) {
        case .absent: return .absent
        case .other(let words): return .foreign(words)
        case .file(let mode):
            guard let digest = try digest(path) else { return .absent }
            return .file(digest: digest, mode: mode)
        }
    }

    /// SHA-256 of a file of any size in hexadecimal digits; `nil` where nothing is.
    package func digest(_ path: String) throws -> String? {
        let digest = try RunningDigest()
        guard try forEachChunk(of: path, { digest.add($0) }) else { return nil }
        return digest.hex()
    }
}

extension ConfinedFiles: FileLayer {
    package func forEachChunk(of path: String, _ body: (UnsafeRawBufferPointer) -> Void) throws -> Bool {
        try forEachChunk(of: path) { bytes throws(SystemError) in body(bytes) }
    }

    package func makeDirectories(for path: String) throws {
        // State is nobody else's business.
        try makeDirectories(for: path, mode: path.hasPrefix(AgentPaths.state + "/") ? 0o700 : 0o755)
    }
}
