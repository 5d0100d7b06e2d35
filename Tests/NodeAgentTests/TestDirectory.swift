import Glibc
import LinuxSystem
import NodeAgent

/// A directory of a test's own, which is removed in the end with all that is in it.
final class TestDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/tendril-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError("make a directory", code: errno) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { FileTree.removeContents(of: path); rmdir(path) }
}
