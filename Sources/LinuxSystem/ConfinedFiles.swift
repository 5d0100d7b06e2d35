import CTendrilShims
import Glibc

/// Files below one directory, reached through no link of any kind: every directory on the way is opened by itself,
/// below the one before it (openat(2) with O_NOFOLLOW), so that whoever swaps one for a link gains an error.
///
/// openat2(2) would do it in one call, but systemd's RestrictSUIDSGID= forbids it.
package final class ConfinedFiles: Sendable {
    /// What is at a path.
    package enum Kind: Hashable, Sendable {
        case absent
        case file(mode: UInt32)
        /// In words.
        case other(String)
    }

    private let root: OwnedDescriptor

    /// Opens the directory that paths begin at: `/a/b` is `a/b` below it.
    package init(root path: String = "/") throws(SystemError) {
        root = try OwnedDescriptor(tendril_open(path, tendril_o_path | O_DIRECTORY, 0), "open \(path)")
    }

    /// What is at a path.
    package func kind(_ path: String) throws(SystemError) -> Kind {
        guard let place = try parent(of: path, "look at \(path)") else { return .absent }
        var status = stat()
        guard fstatat(place.directory.rawValue, place.name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
            let code = errno
            if code == ENOENT { return .absent }
            throw SystemError("look at \(path)", code: code)
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG:
            return status.st_nlink > 1 ? .other("a file with several names") : .file(mode: status.st_mode & 0o7777)
        case S_IFLNK: return .other("a symbolic link")
        case S_IFDIR: return .other("a directory")
        default: return .other("no regular file")
        }
    }

    /// The content of a regular file; `nil` where nothing is.
    package func read(_ path: String, limit: Int = 1 << 20) throws(SystemError) -> [UInt8]? {
        guard let file = try open(path) else { return nil }
        return try DurableFile.read(file, path, limit: limit)
    }

    /// Hands over the content of a regular file piece by piece; `false` where nothing is.
    package func forEachChunk(
        of path: String,
        _ body: (UnsafeRawBufferPointer) throws(SystemError) -> Void
    ) throws(SystemError) -> Bool {
        guard let file = try open(path) else { return false }
        var chunk = [UInt8](repeating: 0, count: 256 * 1024)
        while true {
            let count = retrying { Glibc.read(file.rawValue, &chunk, chunk.count) }
            guard count >= 0 else { throw SystemError("read \(path)", code: CInt(-count)) }
            if count == 0 { return true }
            try chunk.span.bytes.withUnsafeBytes { bytes throws(SystemError) in
                try body(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            }
        }
    }

    /// Overwrites parts of a regular file with a byte, in their place, and makes that durable.
    ///
    /// - Parameters:
    ///   - path: is there.
    ///   - parts: offsets.
    ///   - byte: takes the place of each byte of them.
    /// - Throws: `SystemError`; some parts may be overwritten then.
    package func overwrite(_ path: String, _ parts: Set<Range<Int>>, with byte: UInt8) throws(SystemError) {
        let attempt = "overwrite \(path)"
        guard let file = try open(path, O_WRONLY) else { throw SystemError(attempt, code: ENOENT) }
        for part in parts {
            let bytes = [UInt8](repeating: byte, count: part.count)
            let count = retrying { pwrite(file.rawValue, bytes, bytes.count, off_t(part.lowerBound)) }
            guard count == part.count else { throw SystemError(attempt, code: count < 0 ? CInt(-count) : EIO) }
        }
        guard fsync(file.rawValue) == 0 else { throw SystemError(attempt, code: errno) }
    }

    /// Opens a regular file; `nil` where nothing is.
    private func open(_ path: String, _ access: CInt = O_RDONLY) throws(SystemError) -> OwnedDescriptor? {
        guard let place = try parent(of: path, "open \(path)") else { return nil }
        // A pipe must not hold this side up.
        let flags = access | O_NONBLOCK | O_NOFOLLOW
        let result = tendril_open_at(place.directory.rawValue, place.name, flags, 0)
        if result == -ENOENT { return nil }
        let file = try OwnedDescriptor(result, "open \(path)")
        var status = stat()
        guard fstat(file.rawValue, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw SystemError("read \(path)", code: EINVAL)
        }
        return file
    }

    /// Writes the new content of a file beside it, not yet durable.
    package func createTemporary(for path: String, _ content: [UInt8], mode: UInt32) throws(SystemError) {
        try createTemporary(for: path, mode: mode) { file throws(SystemError) in
            let descriptor = file.rawValue
            try content.span.bytes.withUnsafeBytes { bytes throws(SystemError) in
                try DurableFile.write(bytes, to: descriptor, path)
            }
        }
    }

    /// Writes the content of another file beside a file, as its new one, not yet durable; `false` where there is no
    /// other file.
    package func copyTemporary(for path: String, from source: String, mode: UInt32) throws(SystemError) -> Bool {
        guard try kind(source) != .absent else { return false }
        var isThere = false
        try createTemporary(for: path, mode: mode) { file throws(SystemError) in
            let descriptor = file.rawValue
            isThere = try forEachChunk(of: source) { bytes throws(SystemError) in
                try DurableFile.write(bytes, to: descriptor, path)
            }
        }
        return isThere
    }

    private func createTemporary(
        for path: String,
        mode: UInt32,
        _ fill: (borrowing OwnedDescriptor) throws(SystemError) -> Void
    ) throws(SystemError) {
        let attempt = "write \(path)"
        guard let place = try parent(of: path, attempt) else { throw SystemError(attempt, code: ENOENT) }
        let name = Self.temporary(place.name)
        unlinkat(place.directory.rawValue, name, 0)
        let file = try OwnedDescriptor(
            tendril_open_at(place.directory.rawValue, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode),
            attempt
        )
        do throws(SystemError) {
            guard fchmod(file.rawValue, mode) == 0 else { throw SystemError(attempt, code: errno) }
            try fill(file)
        } catch {
            unlinkat(place.directory.rawValue, name, 0)
            throw error
        }
    }

    /// Makes the new content durable.
    package func syncTemporary(for path: String) throws(SystemError) {
        let attempt = "write \(path)"
        guard let place = try parent(of: path, attempt) else { throw SystemError(attempt, code: ENOENT) }
        let file = try OwnedDescriptor(
            tendril_open_at(place.directory.rawValue, Self.temporary(place.name), O_WRONLY | O_NOFOLLOW, 0),
            attempt
        )
        guard fsync(file.rawValue) == 0 else { throw SystemError(attempt, code: errno) }
    }

    /// Puts the new content in the file's place.
    package func publish(_ path: String) throws(SystemError) {
        let attempt = "replace \(path)"
        guard let place = try parent(of: path, attempt) else { throw SystemError(attempt, code: ENOENT) }
        let directory = place.directory.rawValue
        guard renameat(directory, Self.temporary(place.name), directory, place.name) == 0 else {
            throw SystemError(attempt, code: errno)
        }
    }

    /// Removes a file, and what is left of a new content for it; nothing happens where nothing is.
    package func remove(_ path: String) throws(SystemError) {
        guard let place = try parent(of: path, "remove \(path)") else { return }
        unlinkat(place.directory.rawValue, Self.temporary(place.name), 0)
        guard unlinkat(place.directory.rawValue, place.name, 0) == 0 || errno == ENOENT else {
            throw SystemError("remove \(path)", code: errno)
        }
    }

    /// Removes what is left of a new content that never came into its place.
    package func removeTemporary(for path: String) throws(SystemError) {
        guard let place = try parent(of: path, "tidy \(path)") else { return }
        unlinkat(place.directory.rawValue, Self.temporary(place.name), 0)
    }

    /// Makes what happened to names beside a path durable.
    package func syncDirectory(of path: String) throws(SystemError) {
        // Where the directory itself is gone, nothing can come back.
        guard let place = try parent(of: path, "sync the directory of \(path)") else { return }
        let handle = try OwnedDescriptor(
            tendril_open_at(place.directory.rawValue, ".", O_RDONLY | O_DIRECTORY, 0),
            "sync the directory of \(path)"
        )
        guard fsync(handle.rawValue) == 0 else { throw SystemError("sync the directory of \(path)", code: errno) }
    }

    /// Makes the directories that lead to a path, where they are missing; one that is there stays as it is.
    package func makeDirectories(for path: String, mode: UInt32 = 0o755) throws(SystemError) {
        var parts = Self.relative(path).split(separator: "/").map(String.init)
        parts.removeLast()
        var made = ""
        for part in parts {
            made += "/" + part
            if try kind(made) != .absent { continue }
            guard let place = try parent(of: made, "make \(made)") else {
                throw SystemError("make \(made)", code: ENOENT)
            }
            let attempt = "make the directory \(made)"
            if mkdirat(place.directory.rawValue, place.name, mode) == 0 {
                // Whatever the umask is.
                let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW
                let own = try OwnedDescriptor(tendril_open_at(place.directory.rawValue, place.name, flags, 0), attempt)
                guard fchmod(own.rawValue, mode) == 0 else { throw SystemError(attempt, code: errno) }
            } else if errno != EEXIST {
                throw SystemError(attempt, code: errno)
            }
            try syncDirectory(of: made)
        }
    }

    /// The names in a directory; none where it does not exist.
    package func list(_ directory: String) throws(SystemError) -> [String] {
        guard let place = try parent(of: directory + "/.", "list \(directory)") else { return [] }
        let result = tendril_open_at(place.directory.rawValue, ".", O_RDONLY | O_DIRECTORY, 0)
        guard result >= 0 else { throw SystemError("list \(directory)", code: -result) }
        guard let handle = fdopendir(result) else {
            close(result)
            throw SystemError("list \(directory)", code: ENOMEM)
        }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// The name of the file that a temporary name stands for; `nil` for any other name.
    package static func target(ofTemporary name: String) -> String? {
        name.hasPrefix(".") && name.hasSuffix(suffix) ? String(name.dropFirst().dropLast(suffix.count)) : nil
    }

    private static let suffix = ".tendril-new"

    private struct Place: ~Copyable {
        let directory: OwnedDescriptor
        let name: String
    }

    /// The directory of a path; `nil` where it does not exist.
    private func parent(of path: String, _ attempt: String) throws(SystemError) -> Place? {
        let parts = Self.relative(path).split(separator: "/").map(String.init)
        guard let name = parts.last, !parts.contains("..") else { throw SystemError(attempt, code: EINVAL) }
        var descriptor = tendril_open_at(root.rawValue, ".", Self.passage, 0)
        for part in parts.dropLast() {
            let above = try OwnedDescriptor(descriptor, attempt)
            descriptor = tendril_open_at(above.rawValue, part, Self.passage, 0)
            if descriptor == -ENOENT { return nil }
        }
        return Place(directory: try OwnedDescriptor(descriptor, attempt), name: name)
    }

    /// A directory that is only passed through, and is none that a link leads to.
    private static let passage = tendril_o_path | O_DIRECTORY | O_NOFOLLOW

    private static func relative(_ path: String) -> String { String(path.drop { $0 == "/" }) }

    private static func temporary(_ name: String) -> String { ".\(name)\(suffix)" }
}
