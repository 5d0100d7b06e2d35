import FoundationEssentials

/// A directory of a test's own, which is removed with all that is in it when nobody refers to it any more: whoever keeps the path
/// only keeps it alive by `withExtendedLifetime`.
package final class TestDirectory: Sendable {
    package let path: String

    package init() throws {
        path = FileManager.default.temporaryDirectory.path + "/tendril-test-\(UUID())"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Writes a file, and makes the directories in which it lies.
    ///
    /// - Parameters:
    ///   - name: the path below this directory.
    ///   - text: what it holds.
    /// - Returns: the whole path.
    /// - Throws: where it cannot be written.
    @discardableResult
    package func write(_ name: String, _ text: String = "x") throws -> String {
        let file = "\(path)/\(name)"
        let parent = file.prefix(upTo: file.lastIndex(of: "/") ?? file.endIndex)
        try FileManager.default.createDirectory(atPath: String(parent), withIntermediateDirectories: true)
        try text.write(toFile: file, atomically: false, encoding: .utf8)
        return file
    }

    /// What a file holds.
    package func text(_ name: String) throws -> String {
        try String(contentsOfFile: "\(path)/\(name)", encoding: .utf8)
    }

    /// Takes away what has this name.
    package func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: "\(path)/\(name)") }

    /// Whether there is something of this name.
    package func has(_ name: String) -> Bool { FileManager.default.fileExists(atPath: "\(path)/\(name)") }
}
