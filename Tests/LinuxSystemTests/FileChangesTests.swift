import LinuxSystem
import TendrilCore
import TestSupport
import Testing

@Suite("Files that are followed")
struct FileChangesTests {
    private struct Unusable: Error {}

    private let directory: TestDirectory
    private let path: String

    init() throws {
        directory = try TestDirectory()
        path = try directory.write("a", "1")
    }

    private func time(_ seconds: UInt64) -> MonotonicTime { MonotonicTime(nanoseconds: seconds * 1_000_000_000) }

    @Test("are read when they have changed and come to rest, once")
    func changes() throws {
        var changes = FileChanges([path])
        var count = 0
        func look(_ second: UInt64) throws -> Int? {
            try changes.take(at: time(second)) {
                count += 1
                return count
            }
        }
        #expect(try look(0) == nil, "they were read before")
        try directory.write("a", "22")
        #expect(try look(1) == nil, "they may not be complete")
        #expect(try look(2) == 1)
        #expect(try look(60) == nil)
        changes.forget()
        #expect(try look(61) == 2, "whatever they look like")
        #expect(try look(120) == nil)
    }

    @Test("are tried again a minute later, or once they change, where they could not be read or used")
    func unusable() throws {
        var changes = FileChanges([path])
        var count = 0
        func look(_ second: UInt64, fails: Bool = true) throws -> Bool? {
            try changes.take(at: time(second)) {
                count += 1
                if fails { throw Unusable() }
                return true
            }
        }
        changes.forget()
        #expect(throws: Unusable.self) { try look(0) }
        for second in 1...59 as ClosedRange<UInt64> { #expect(try look(second) == nil) }
        #expect(throws: Unusable.self) { try look(60) }
        try directory.write("a", "22")
        #expect(try look(61) == nil)
        #expect(throws: Unusable.self) { try look(62) }
        #expect(try look(122, fails: false) == true, "with no change to them")
        #expect(try look(300) == nil)
        #expect(count == 4)
    }
}
