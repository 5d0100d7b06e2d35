internal import Glibc
internal import LinuxSystem

/// Walks through directories, without following links.
package enum FileTree {
    private struct Entry {
        let path: String
        let isDirectory: Bool
        /// Which file system a directory is on; what is none has others in an overlay (kernel documentation, overlayfs).
        let device: dev_t
    }

    /// Calls `body` with the path of every entry that is no directory.
    package static func forEachFile(below directory: String, _ body: (String) throws -> Void) throws {
        for entry in entries(of: directory) {
            if entry.isDirectory { try forEachFile(below: entry.path, body) } else { try body(entry.path) }
        }
    }

    /// Removes what is in a directory.
    ///
    /// What is mounted in it is unmounted first, and never looked into.
    ///
    /// - Parameters:
    ///   - directory: is itself kept.
    ///   - unmount: takes what is mounted away from a path, if that can be.
    /// - Returns: the paths where something is still mounted, which were left as they are.
    @discardableResult
    package static func removeContents(
        of directory: String,
        unmount: (String) -> Void = { umount2($0, CInt(MNT_DETACH)) }
    ) -> [String] {
        // The table of mounts knows no links.
        guard let real = realpath(directory, nil) else { return [] }
        defer { free(real) }
        let top = String(cString: real)
        for path in mountPoints(below: top).reversed() { unmount(path) }
        var status = stat()
        guard lstat(top, &status) == 0 else { return [] }
        var left = Set(mountPoints(below: top))
        removeEntries(of: top, on: status.st_dev, &left)
        return left.sorted()
    }

    /// Removes what is in a directory, but for what is in `left` and directories of other file systems, which are added.
    private static func removeEntries(of directory: String, on device: dev_t, _ left: inout Set<String>) {
        for entry in entries(of: directory) where !left.contains(entry.path) {
            if !entry.isDirectory {
                unlink(entry.path)
            } else if entry.device == device {
                removeEntries(of: entry.path, on: device, &left)
                rmdir(entry.path)
            } else {
                left.insert(entry.path)
            }
        }
    }

    private static func entries(of directory: String) -> [Entry] {
        guard let handle = opendir(directory) else { return [] }
        defer { closedir(handle) }
        var found: [Entry] = []
        while let entry = readdir(handle) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            var status = stat()
            guard name != ".", name != "..", fstatat(dirfd(handle), name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
                continue
            }
            let isDirectory = status.st_mode & S_IFMT == S_IFDIR
            found.append(Entry(path: "\(directory)/\(name)", isDirectory: isDirectory, device: status.st_dev))
        }
        return found
    }

    /// Where something is mounted, in the order in which it was.
    private static func mountPoints(below directory: String) -> [String] {
        let table = (try? DurableFile.read("/proc/self/mounts", limit: 4 << 20)) ?? []
        return MountTable.points(table).filter { $0.hasPrefix(directory + "/") }
    }
}

/// The text of /proc/self/mounts (fstab(5), getmntent(3)).
package enum MountTable {
    /// Where something is mounted, in the order of the table.
    package static func points(_ table: [UInt8]) -> [String] {
        table.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: " "))
            return fields.count > 1 ? String(decoding: decoded(fields[1]), as: UTF8.self) : nil
        }
    }

    /// Spaces, tabs, ends of lines and backslashes are written as a backslash and three octal digits.
    private static func decoded(_ field: ArraySlice<UInt8>) -> [UInt8] {
        var (bytes, rest) = ([UInt8](), field)
        while let first = rest.first {
            let digits = rest.dropFirst().prefix(3)
            if first == UInt8(ascii: "\\"), digits.count == 3,
                let byte = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
            {
                bytes.append(byte)
                rest = rest.dropFirst(4)
            } else {
                bytes.append(first)
                rest = rest.dropFirst()
            }
        }
        return bytes
    }
}
