internal import Glibc
internal import LinuxSystem

/// Empties directories, without following links.
package enum FileTree {
    /// Removes what is in a directory.
    ///
    /// What is mounted in it is unmounted first, and never looked into. Everything is reached from the descriptor of the
    /// directory that it is in: whoever swaps one for a link, while this goes on, gains nothing.
    ///
    /// - Parameters:
    ///   - directory: is itself kept.
    ///   - unmount: takes what is mounted away from a path, if that can be.
    /// - Returns: the paths where something is still mounted, or that could not be opened, which were left as they are.
    @discardableResult
    package static func removeContents(
        of directory: String,
        unmount: (String) -> Void = { umount2($0, CInt(MNT_DETACH | UMOUNT_NOFOLLOW)) }
    ) -> [String] {
        // The table of mounts knows no links.
        guard let real = realpath(directory, nil) else { return [] }
        defer { free(real) }
        let top = String(cString: real)
        for path in mountPoints(below: top).reversed() { unmount(path) }
        let descriptor = openat(AT_FDCWD, top, passage)
        guard descriptor >= 0 else { return Obstacle(errno) == .unknown ? [top] : [] }
        defer { close(descriptor) }
        var left = Set(mountPoints(below: top))
        removeEntries(of: descriptor, top, on: device(descriptor), &left)
        return left.sorted()
    }

    /// A directory that no link leads to.
    private static let passage = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC

    /// The longest path that is gone along, in bytes: twice what the kernel takes (PATH_MAX), for pods have theirs below ours.
    ///
    /// Each level takes a descriptor, and some of the stack.
    private static let maximumPath = 2 * 4096

    /// Why something did not open as a directory.
    package enum Obstacle: Hashable, Sendable {
        /// It is none, or a link.
        case noDirectory
        case gone
        /// It may be a directory, and full.
        case unknown

        /// Takes what openat(2) says.
        package init(_ code: CInt) {
            switch code {
            case ENOTDIR, ELOOP: self = .noDirectory
            case ENOENT: self = .gone
            default: self = .unknown
            }
        }
    }

    /// Removes what is in a directory, but for what is in `left`; what stays beside that is added.
    private static func removeEntries(
        of directory: CInt,
        _ path: String,
        on device: dev_t?,
        _ left: inout Set<String>
    ) {
        guard let names = names(in: directory), path.utf8.count <= maximumPath else {
            left.insert(path)
            return
        }
        for name in names {
            let path = "\(path)/\(String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))"
            if left.contains(path) { continue }
            let below = openat(directory, name, passage)
            guard below >= 0 else {
                switch Obstacle(errno) {
                case .noDirectory: unlinkat(directory, name, 0)
                case .gone: break
                case .unknown: left.insert(path)
                }
                continue
            }
            defer { close(below) }
            if let own = Self.device(below), own == device {
                removeEntries(of: below, path, on: device, &left)
                unlinkat(directory, name, AT_REMOVEDIR)
            } else {
                left.insert(path)
            }
        }
    }

    /// Which file system a directory is on.
    private static func device(_ directory: CInt) -> dev_t? {
        var status = stat()
        return fstat(directory, &status) == 0 ? status.st_dev : nil
    }

    /// The names in a directory as the kernel has them, each with a zero at its end; `nil` where they cannot be read.
    private static func names(in directory: CInt) -> [[CChar]]? {
        let copy = openat(directory, ".", passage)
        guard copy >= 0 else { return nil }
        guard let handle = fdopendir(copy) else {
            close(copy)
            return nil
        }
        defer { closedir(handle) }
        var names: [[CChar]] = []
        while let entry = readdir(handle) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                bytes.prefix { $0 != 0 }.map { CChar(bitPattern: $0) } + [0]
            }
            if name != [0x2E, 0], name != [0x2E, 0x2E, 0] { names.append(name) }
        }
        return names
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
