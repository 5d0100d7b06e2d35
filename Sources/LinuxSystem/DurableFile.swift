import CTendrilShims
import Glibc

/// Whole files, read with a bound and written so that a crash leaves the old or the new content.
package enum DurableFile {
    /// Reads a file of at most `limit` bytes.
    package static func read(_ path: String, limit: Int = 1 << 20) throws(SystemError) -> [UInt8] {
        try read(try OwnedDescriptor(tendril_open(path, O_RDONLY, 0), "open \(path)"), path, limit: limit)
    }

    /// Reads what an open file holds from its position on.
    static func read(_ file: borrowing OwnedDescriptor, _ path: String, limit: Int) throws(SystemError) -> [UInt8] {
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 * 1024)
        while true {
            let count = retrying { Glibc.read(file.rawValue, &chunk, chunk.count) }
            guard count >= 0 else { throw SystemError("read \(path)", code: CInt(-count)) }
            if count == 0 { return content }
            content += chunk[..<count]
            guard content.count <= limit else { throw SystemError("read \(path)", code: EFBIG) }
        }
    }

    /// Writes a file by way of a temporary one beside it: fsync, rename, fsync of the directory.
    ///
    /// - Parameters:
    ///   - content: all of the new content.
    ///   - path: the file, whose directory exists.
    ///   - mode: the permission bits, which the umask does not change.
    /// - Throws: `SystemError`; the old content stays.
    package static func write(_ content: [UInt8], to path: String, mode: UInt32) throws(SystemError) {
        let temporary = "\(path).tmp.\(getpid())"
        unlink(temporary)
        do throws(SystemError) {
            let file = try OwnedDescriptor(
                tendril_open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode),
                "create \(temporary)"
            )
            guard fchmod(file.rawValue, mode) == 0 else { throw SystemError("set the mode of \(path)", code: errno) }
            let descriptor = file.rawValue
            try content.span.bytes.withUnsafeBytes { bytes throws(SystemError) in try write(bytes, to: descriptor, path)
            }
            guard fsync(file.rawValue) == 0 else { throw SystemError("write \(path)", code: errno) }
            guard rename(temporary, path) == 0 else { throw SystemError("replace \(path)", code: errno) }
        } catch {
            unlink(temporary)
            throw error
        }
        try syncDirectory(of: path)
    }

    /// What is at a path.
    package enum Occupant: Sendable {
        case nothing
        /// A regular file.
        case file
        /// A link, which is not followed, a directory, a device, a pipe or a socket.
        case other
    }

    /// Looks what a file would be put in the place of.
    package static func occupant(of path: String) throws(SystemError) -> Occupant {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            let code = errno
            if code == ENOENT { return .nothing }
            throw SystemError("look at \(path)", code: code)
        }
        return status.st_mode & S_IFMT == S_IFREG ? .file : .other
    }

    /// Writes all of `content` to an open file.
    static func write(_ content: UnsafeRawBufferPointer, to descriptor: CInt, _ path: String) throws(SystemError) {
        var offset = 0
        while offset < content.count {
            let count = retrying {
                Glibc.write(descriptor, content.baseAddress.map { $0 + offset }, content.count - offset)
            }
            guard count > 0 else { throw SystemError("write \(path)", code: CInt(-count)) }
            offset += count
        }
    }

    /// Copies a file to where nothing is, readable by its owner alone; what is written has yet to be synced.
    ///
    /// - Parameters:
    ///   - path: the file.
    ///   - other: where the copy is to be.
    /// - Throws: `SystemError`; the copy may be there in part then.
    package static func copy(_ path: String, to other: String) throws(SystemError) {
        let source = try OwnedDescriptor(tendril_open(path, O_RDONLY | O_NOFOLLOW, 0), "open \(path)")
        let target = try OwnedDescriptor(
            tendril_open(other, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600),
            "create \(other)"
        )
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = retrying { Glibc.read(source.rawValue, &chunk, chunk.count) }
            guard count >= 0 else { throw SystemError("read \(path)", code: CInt(-count)) }
            if count == 0 { return }
            let descriptor = target.rawValue
            try chunk.span.bytes.withUnsafeBytes { bytes throws(SystemError) in
                try write(UnsafeRawBufferPointer(rebasing: bytes[..<count]), to: descriptor, other)
            }
        }
    }

    /// Makes a directory, and those above it that are missing.
    ///
    /// - Parameters:
    ///   - path: an absolute path.
    ///   - mode: the permission bits of those that are made.
    /// - Throws: `SystemError`.
    package static func makeDirectories(_ path: String, mode: UInt32) throws(SystemError) {
        var prefix = ""
        for part in path.split(separator: "/") {
            prefix += "/\(part)"
            guard mkdir(prefix, mode) != 0, errno != EEXIST else { continue }
            throw SystemError("make \(prefix)", code: errno)
        }
    }

    /// Removes a file, if it is there.
    package static func remove(_ path: String) { unlink(path) }

    /// Writes to a file that exists and takes its content in one write, such as one of /proc/sys.
    package static func overwrite(_ path: String, with text: String) throws(SystemError) {
        let file = try OwnedDescriptor(tendril_open(path, O_WRONLY, 0), "open \(path)")
        let bytes = Array(text.utf8)
        let count = bytes.withUnsafeBytes { buffer in
            retrying { Glibc.write(file.rawValue, buffer.baseAddress, buffer.count) }
        }
        guard count == bytes.count else { throw SystemError("write \(path)", code: count < 0 ? CInt(-count) : EIO) }
    }

    private static func syncDirectory(of path: String) throws(SystemError) {
        let directory = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        let handle = try OwnedDescriptor(tendril_open(directory, O_RDONLY | O_DIRECTORY, 0), "open \(directory)")
        guard fsync(handle.rawValue) == 0 else { throw SystemError("sync \(directory)", code: errno) }
    }
}
