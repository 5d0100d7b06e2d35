import Coordinator
import FoundationEssentials
import Glibc
import LinuxSystem
import TestSupport
import Testing

@Suite("Folders of a restoration")
struct RestoredFoldersTests {
    private static let database = "member/snap/db"
    private static let log = "member/wal/0.wal"

    private func volume() throws -> TestDirectory {
        let volume = try TestDirectory()
        try volume.write("data/\(Self.database)", "old")
        return volume
    }

    private func text(_ volume: TestDirectory, _ folder: String, _ file: String = Self.database) -> String? {
        (try? DurableFile.read("\(volume.path)/\(folder)/\(file)")).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The folders, without the file by which one at a time works with them.
    private func names(_ volume: TestDirectory) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: volume.path).filter { $0 != "restoration.lock" }.sorted()
    }

    /// What etcd's program makes of a snapshot, elsewhere.
    private func made(_ text: String) throws -> TestDirectory {
        let place = try TestDirectory()
        try place.write("data.made/\(Self.database)", text)
        try place.write("data.made/\(Self.log)", "log of \(text)")
        return place
    }

    private func folders(_ volume: TestDirectory, _ restoration: String, reserve: UInt64 = 0) -> RestoredFolders {
        RestoredFolders(volume: volume.path, restoration: restoration, reserve: reserve)
    }

    /// The steps of a Job's pod, one after the other.
    private func attempt(
        _ volume: TestDirectory,
        _ restoration: String,
        makes text: String = "new",
        reserve: UInt64 = 0
    ) throws {
        let place = try made(text)
        try folders(volume, restoration, reserve: reserve).replace(with: "\(place.path)/data.made")
        withExtendedLifetime(place) {}
    }

    @Test("have the snapshot's data in use, and the former beside it; of formers there is one")
    func replaces() throws {
        let volume = try volume()
        try attempt(volume, "1")
        #expect(text(volume, "data") == "new" && text(volume, "data", Self.log) == "log of new")
        #expect(text(volume, "data.before") == "old")
        #expect(try names(volume) == ["data", "data.before"])
        try attempt(volume, "2", makes: "newest")
        #expect(text(volume, "data") == "newest" && text(volume, "data.before") == "new")
        #expect(try names(volume) == ["data", "data.before"])
        withExtendedLifetime(volume) {}
    }

    @Test("of any size are copied whole")
    func large() throws {
        let volume = try volume()
        let text = String(repeating: "0123456789abcdef", count: 200_000)
        try attempt(volume, "1", makes: text)
        #expect(try DurableFile.read("\(volume.path)/data/\(Self.database)", limit: 4 << 20) == Array(text.utf8))
        withExtendedLifetime(volume) {}
    }

    @Test("stay as they are when it is done again by a pod that begins anew, and need no room for that")
    func again() throws {
        let volume = try volume()
        for reserve in [0, .max, .max] as [UInt64] { try attempt(volume, "1", reserve: reserve) }
        #expect(text(volume, "data") == "new" && text(volume, "data.before") == "old")
        #expect(try names(volume) == ["data", "data.before"])
        withExtendedLifetime(volume) {}
    }

    @Test("hold whole data in use wherever it is cut off; the next attempt, of this restoration or another, ends well")
    func cutOff() throws {
        // What is there after each single move.
        let made: [(files: [String: String], marked: String?)] = [
            (["data": "old", "data.made": "half"], nil),
            (["data": "old", "data.before": "older", "data.made": "new"], "data.made"),
            (["data": "old", "data.made": "new"], "data.made"),
            (["data": "old", "data.before": "new"], "data.before"),
            (["data": "new", "data.before": "old"], "data"),
            (["data": "new", "data.before": "old", "data.made": "half"], "data"),
        ]
        for (files, marked) in made {
            for restoration in ["1", "2"] {
                let volume = try TestDirectory()
                for (folder, text) in files { try volume.write("\(folder)/\(Self.database)", text) }
                if let marked { try volume.write("\(marked)/tendril-restoration", "1") }
                try attempt(volume, restoration, makes: restoration == "1" ? "new" : "newest")
                let (now, before) = (text(volume, "data"), text(volume, "data.before"))
                if restoration == "1" {
                    #expect(now == "new" && before == "old", "\(files)")
                } else {
                    #expect(now == "newest" && before == files["data"], "\(files)")
                }
                #expect(try names(volume) == ["data", "data.before"], "\(files)")
                withExtendedLifetime(volume) {}
            }
        }
    }

    @Test("of a volume that is lost get the snapshot's data")
    func empty() throws {
        let volume = try TestDirectory()
        try attempt(volume, "1")
        #expect(text(volume, "data") == "new")
        #expect(try names(volume) == ["data"])
        withExtendedLifetime(volume) {}
    }

    @Test("keep what an earlier restoration left beside them when another one fails before it needs its place")
    func failsLater() throws {
        let volume = try volume()
        try attempt(volume, "1")
        #expect(throws: (any Error).self) { try folders(volume, "2").replace(with: "\(volume.path)/nothing") }
        // A log is missing.
        try volume.write("half/\(Self.database)", "half")
        #expect(throws: (any Error).self) { try folders(volume, "3").replace(with: "\(volume.path)/half") }
        #expect(text(volume, "data") == "new" && text(volume, "data.before") == "old")
        #expect(try names(volume) == ["data", "data.before", "half"])
        withExtendedLifetime(volume) {}
    }

    @Test("stay as they are where there would be no room without what was there before, either; nothing new is left")
    func noRoom() throws {
        let volume = try volume()
        try attempt(volume, "1")
        #expect(throws: (any Error).self) { try attempt(volume, "2", makes: "newest", reserve: .max) }
        #expect(text(volume, "data") == "new" && text(volume, "data.before") == "old")
        #expect(try names(volume) == ["data", "data.before"])
        withExtendedLifetime(volume) {}
    }

    @Test("lose what was there before, and nothing else, where there is room without it only")
    func room() throws {
        let volume = try volume()
        try attempt(volume, "1")
        // As if it were of a terabyte; it takes no room at all, so that there is none without it, either.
        let size: UInt64 = 1 << 40
        let code = truncate("\(volume.path)/data.before/\(Self.database)", off_t(size))
        try #require(code == 0)
        let reserve = try Folders.free(at: volume.path) + size / 2
        #expect(throws: (any Error).self) { try attempt(volume, "2", makes: "newest", reserve: reserve) }
        #expect(text(volume, "data") == "new")
        #expect(try names(volume) == ["data"])
        withExtendedLifetime(volume) {}
    }

    @Test("are left alone while an etcd works with them, or another step")
    func refuses() throws {
        let volume = try volume()
        for file in ["data/\(Self.database)", "restoration.lock"] {
            let holder = open("\(volume.path)/\(file)", O_RDWR | O_CREAT, 0o600)
            let code = flock(holder, LOCK_EX | LOCK_NB)
            try #require(holder >= 0 && code == 0)
            #expect(throws: (any Error).self) { try attempt(volume, "1") }
            #expect(text(volume, "data") == "old")
            #expect(try names(volume) == ["data"])
            close(holder)
        }
        try attempt(volume, "1")
        #expect(text(volume, "data") == "new" && text(volume, "data.before") == "old")
        withExtendedLifetime(volume) {}
    }

    @Test("go back to what was there before, and forth again, each once")
    func goesBack() throws {
        let volume = try volume()
        #expect(throws: (any Error).self) { try folders(volume, "1").goBack() }
        try attempt(volume, "1")
        for _ in 0..<2 { try folders(volume, "2").goBack() }
        #expect(text(volume, "data") == "old" && text(volume, "data.before") == "new")
        for _ in 0..<2 { try folders(volume, "3").goBack() }
        #expect(text(volume, "data") == "new" && text(volume, "data.before") == "old")
        let holder = open("\(volume.path)/data/\(Self.database)", O_RDWR)
        let code = flock(holder, LOCK_EX | LOCK_NB)
        try #require(holder >= 0 && code == 0)
        #expect(throws: (any Error).self) { try folders(volume, "4").goBack() }
        close(holder)
        #expect(text(volume, "data") == "new" && text(volume, "data.before") == "old")
        #expect(try names(volume) == ["data", "data.before"])
        withExtendedLifetime(volume) {}
    }

    @Test("do not go back to what was made of a snapshot and never used, but to all else, wherever they were cut off")
    func unused() throws {
        let mark = "tendril-restoration"
        let rows: [(used: [String: String], before: [String: String], isBefore: Bool)] = [
            // Cut off before the exchange of the first restoration, of a second, and of one after a way back.
            ([:], [mark: "2"], false),
            ([mark: "1"], [mark: "2"], false),
            (["\(mark)-back-2": ""], [mark: "3"], false),
            // After the exchange, after a way back, and after one that was cut off.
            ([mark: "2"], [:], true),
            ([mark: "2"], [mark: "1"], true),
            (["\(mark)-back-2": ""], [mark: "1"], true),
            ([mark: "1", "\(mark)-back-3": ""], [mark: "2"], true),
            ([mark: "1"], ["\(mark)-back-2": ""], true),
        ]
        for (used, before, isBefore) in rows {
            let volume = try TestDirectory()
            try volume.write("data/\(Self.database)", "now")
            try volume.write("data.before/\(Self.database)", "before")
            for (name, content) in used { try volume.write("data/\(name)", content) }
            for (name, content) in before { try volume.write("data.before/\(name)", content) }
            if isBefore {
                try folders(volume, "9").goBack()
            } else {
                #expect(throws: (any Error).self) { try folders(volume, "9").goBack() }
            }
            #expect(text(volume, "data") == (isBefore ? "before" : "now"), "\(used) \(before)")
            #expect(text(volume, "data.before") == (isBefore ? "now" : "before"), "\(used) \(before)")
            withExtendedLifetime(volume) {}
        }
    }
}
