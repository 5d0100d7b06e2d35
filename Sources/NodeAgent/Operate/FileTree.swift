internal import Glibc
internal import LinuxSystem

/// Walks through directories, without following links.
package enum FileTree {
    /// Calls `body` with the path of every entry that is no directory.
    package static func forEachFile(below directory: String, _ body: (String) throws -> Void) throws {
        for (path, isDirectory) in entries(of: directory) {
            if isDirectory { try forEachFile(below: path, body) } else { try body(path) }
        }
    }

    /// Removes what is in a directory.
    ///
    /// What is mounted in it is unmounted first, and never looked into.
    package static func removeContents(of directory: String) {
        for path in mountPoints(below: directory).sorted(by: { $0.count > $1.count }) {
            umount2(path, CInt(MNT_DETACH))
        }
        removeEntries(of: directory)
    }

    private static func removeEntries(of directory: String) {
        for (path, isDirectory) in entries(of: directory) {
            if isDirectory {
                removeEntries(of: path)
                rmdir(path)
            } else {
                unlink(path)
            }
        }
    }

    private static func entries(of directory: String) -> [(path: String, isDirectory: Bool)] {
        guard let handle = opendir(directory) else { return [] }
        defer { closedir(handle) }
        var found: [(String, Bool)] = []
        while let entry = readdir(handle) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name == "." || name == ".." { continue }
            found.append(("\(directory)/\(name)", entry.pointee.d_type == UInt8(DT_DIR)))
        }
        return found
    }

    private static func mountPoints(below directory: String) -> [String] {
        let table = (try? DurableFile.read("/proc/self/mounts", limit: 4 << 20)) ?? []
        return String(decoding: table, as: UTF8.self).split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ")
            guard fields.count > 1, fields[1].hasPrefix(directory + "/") else { return nil }
            return String(fields[1])
        }
    }
}
