import CTendrilShims
import Glibc

/// Folders that take one another's place, so that a crash leaves either the one or the other.
package enum Folders {
    /// How many bytes are free for those without privileges where a path is.
    package static func free(at path: String) throws(SystemError) -> UInt64 {
        var info = statvfs()
        guard statvfs(path, &info) == 0 else { throw SystemError("look at \(path)", code: errno) }
        return UInt64(info.f_bavail).multipliedReportingOverflow(by: UInt64(info.f_frsize)).partialValue
    }

    /// Moves a folder to a place in the same one where nothing is, and has that last.
    package static func move(_ path: String, to other: String) throws(SystemError) {
        guard rename(path, other) == 0 else { throw SystemError("move \(path) to \(other)", code: errno) }
        try sync(other)
    }

    /// Has two folders in the same one take each other's place at once, and has that last.
    package static func exchange(_ path: String, with other: String) throws(SystemError) {
        let code = tendril_exchange(path, other)
        guard code == 0 else { throw SystemError("exchange \(path) with \(other)", code: -code) }
        try sync(other)
    }

    /// Has everything last that was written to the file system on which a path is.
    package static func sync(_ path: String) throws(SystemError) {
        let file = try OwnedDescriptor(tendril_open(path, O_RDONLY, 0), "open \(path)")
        let code = tendril_sync_files(file.rawValue)
        guard code == 0 else { throw SystemError("sync \(path)", code: -code) }
    }

    /// Does something while nobody else holds the lock of a file (flock(2)), which is made where it is missing.
    ///
    /// - Parameters:
    ///   - path: of the file.
    ///   - body: what is done.
    /// - Throws: `SystemError` where somebody holds it; what the body throws.
    package static func holding(_ path: String, _ body: () throws -> Void) throws {
        let file = try OwnedDescriptor(tendril_open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600), "open \(path)")
        let code = tendril_lock_file(file.rawValue)
        guard code == 0 else { throw SystemError("lock \(path)", code: -code) }
        let result = Result(catching: body)
        flock(file.rawValue, LOCK_UN)
        try result.get()
    }

    /// Whether another process holds the lock of a file (flock(2)); one that is not there nobody holds.
    package static func isHeld(_ path: String) throws(SystemError) -> Bool {
        let result = tendril_open(path, O_RDWR, 0)
        if result == -ENOENT { return false }
        let file = try OwnedDescriptor(result, "open \(path)")
        let code = tendril_lock_file(file.rawValue)
        guard code == 0 || code == -EAGAIN else { throw SystemError("lock \(path)", code: -code) }
        return code != 0
    }
}
