internal import Glibc

/// Programs and files that have to be there.
enum Program {
    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
}
