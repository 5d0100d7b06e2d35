import CTendrilShims
import Glibc

/// What tells one state of a file from another, behind all symbolic links.
package struct FileStamp: Hashable, Sendable {
    private let device: UInt64
    private let inode: UInt64
    private let size: Int64
    private let modified: Int64

    /// Looks at a file, or returns `nil` where there is none.
    package init?(_ path: String) {
        var info = stat()
        guard stat(path, &info) == 0 else { return nil }
        device = UInt64(info.st_dev)
        inode = UInt64(info.st_ino)
        size = Int64(info.st_size)
        modified = Int64(info.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(info.st_mtim.tv_nsec)
    }

    /// How large a file is, in bytes, behind all symbolic links; `nil` where there is none.
    package static func size(of path: String) -> Int? { FileStamp(path).map { Int($0.size) } }
}
