import Coordinator
import FoundationEssentials
import Glibc
import LinuxSystem
import TestSupport
import Testing

@Suite("Folders of a restoration")
struct RestoredFoldersTests {
    private static let database = "member/snap/db"

    private func volume() throws -> TestDirectory {
        let volume = try TestDirectory()
        try volume.write("data/\(Self.database)", "old")
        return volume
    }

    private func text(_ volume: TestDirectory, _ folder: String) -> String? {
        (try? DurableFile.read("\(volume.path)/\(folder)/\(Self.database)")).map { String(decoding: $0, as: UTF8.self) }
    }

    private func names(_ volume: TestDirectory) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: volume.path).sorted()
    }

    /// The steps of a Job's pod, one after the other.
    private func attempt(_ volume: TestDirectory, _ restoration: String, makes text: String = "new") throws {
        let folders = RestoredFolders(volume: volume.path, restoration: restoration)
        try folders.prepare(size: 1)
        try volume.write("data.made/\(Self.database)", text)
        try folders.replace()
    }

    @Test("have the snapshot's data in use and the former beside it; of formers there is one")
    func replaces() throws {
        let volume = try volume()
        try attempt(volume, "1")
        #expect(text(volume, "data") == "new" && text(volume, "data.before") == "old")
        #expect(try names(volume) == ["data", "data.before"])
        try attempt(volume, "2", makes: "newest")
        #expect(text(volume, "data") == "newest" && text(volume, "data.before") == "new")
        #expect(try names(volume) == ["data", "data.before"])
    }

    @Test("stay as they are when a step is done again, also by a pod that begins anew")
    func again() throws {
        let volume = try volume()
        for _ in 0..<3 { try attempt(volume, "1") }
        #expect(text(volume, "data") == "new" && text(volume, "data.before") == "old")
        #expect(try names(volume) == ["data", "data.before"])
    }

    @Test("hold whole data in use wherever a step is cut off, and the next attempt ends well")
    func cutOff() throws {
        // What is there after each single move.
        let made: [(files: [String: String], marked: String?)] = [
            (["data": "old", "data.made": "half"], nil),
            (["data": "old", "data.before": "older", "data.ready": "new"], "data.ready"),
            (["data": "new", "data.ready": "old", "data.before": "older"], "data"),
            (["data": "new", "data.ready": "old"], "data"),
            (["data": "new", "data.ready": "old", "data.made": "half"], "data"),
            (["data": "new", "data.before": "old", "data.made": "half"], "data"),
        ]
        for (files, marked) in made {
            let volume = try TestDirectory()
            for (folder, text) in files { try volume.write("\(folder)/\(Self.database)", text) }
            if let marked { try volume.write("\(marked)/tendril-restoration", "1") }
            try attempt(volume, "1")
            #expect(text(volume, "data") == "new" && text(volume, "data.before") == "old", "\(files)")
            #expect(try names(volume) == ["data", "data.before"], "\(files)")
        }
    }

    @Test("of a volume that is lost get the snapshot's data")
    func empty() throws {
        let volume = try TestDirectory()
        try attempt(volume, "1")
        #expect(text(volume, "data") == "new")
        #expect(try names(volume) == ["data"])
    }

    @Test("are left alone while an etcd works with them, or where nothing was made, or where there is no room")
    func refuses() throws {
        let volume = try volume()
        let folders = RestoredFolders(volume: volume.path, restoration: "1")
        #expect(throws: (any Error).self) { try folders.replace() }
        #expect(throws: (any Error).self) { try folders.prepare(size: .max) }
        try volume.write("data.made/\(Self.database)", "new")
        let holder = open("\(volume.path)/data/\(Self.database)", O_RDWR)
        let code = flock(holder, LOCK_EX | LOCK_NB)
        try #require(holder >= 0 && code == 0)
        #expect(throws: (any Error).self) { try folders.replace() }
        #expect(text(volume, "data") == "old")
        close(holder)
        try folders.replace()
        #expect(text(volume, "data") == "new" && text(volume, "data.before") == "old")
    }
}
