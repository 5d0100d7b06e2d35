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

    @Test("are left alone until they change where they cannot be used")
    func unusable() throws {
        var changes = FileChanges([path])
        var count = 0
        func look(_ second: UInt64) throws {
            _ = try changes.take(at: time(second)) {
                count += 1
                throw Unusable()
            }
        }
        changes.forget()
        #expect(throws: Unusable.self) { try look(0) }
        for second in 1...100 as ClosedRange<UInt64> { try look(second) }
        #expect(count == 1)
        try directory.write("a", "22")
        try look(101)
        #expect(throws: Unusable.self) { try look(102) }
        #expect(count == 2)
    }

    @Test("are tried again with no change to them where they could not be read")
    func unreadable() throws {
        var changes = FileChanges([path])
        changes.forget()
        var count = 0
        func look(_ second: UInt64, fails: Bool) throws -> Bool? {
            try changes.take(at: time(second)) {
                count += 1
                if fails { throw SystemError("read \(path)", code: 24) }
                return true
            }
        }
        #expect(throws: SystemError.self) { try look(0, fails: true) }
        for second in 1...9 as ClosedRange<UInt64> { #expect(try look(second, fails: true) == nil) }
        #expect(throws: SystemError.self) { try look(10, fails: true) }
        #expect(try look(20, fails: false) == true)
        #expect(try look(60, fails: false) == nil)
        #expect(count == 3)
    }
}
