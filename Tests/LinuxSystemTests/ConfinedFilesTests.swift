import Glibc
import LinuxSystem
import TendrilCore
import TestSupport
import Testing

@Suite("Confined files")
struct ConfinedFilesTests {
    /// A directory with a secret beside it that must never be touched.
    final class Place {
        private let base: TestDirectory
        let path: String
        let outside: String
        let files: ConfinedFiles

        init() throws {
            base = try TestDirectory()
            (path, outside) = (base.path + "/root", base.path + "/outside")
            mkdir(path, 0o755)
            mkdir(outside, 0o755)
            try DurableFile.write(Array("untouched".utf8), to: outside + "/secret", mode: 0o644)
            files = try ConfinedFiles(root: path)
        }

        func expectUntouched() throws {
            #expect(try DurableFile.read(outside + "/secret") == Array("untouched".utf8))
            #expect(access(outside + "/new", F_OK) != 0)
        }

        func put(_ path: String, _ text: String, mode: UInt32 = 0o644) throws {
            try files.makeDirectories(for: path)
            try files.createTemporary(for: path, Array(text.utf8), mode: mode)
            try files.syncTemporary(for: path)
            try files.publish(path)
            try files.syncDirectory(of: path)
        }
    }

    @Test("are written, read, listed and removed")
    func roundTrip() throws {
        let place = try Place()
        // In a thread that has a mask of its own: all others would have it as well.
        let root = place.path
        typealias Unshare = @convention(c) (CInt) -> CInt
        let leave = unsafe unsafeBitCast(try #require(dlsym(nil, "unshare")), to: Unshare.self)
        let thread = try WorkerThread(name: "umask") {
            // CLONE_FS (linux/sched.h).
            guard leave(0x200) == 0 else { return }
            umask(0o077)
            try? ConfinedFiles(root: root).makeDirectories(for: "/a/b/c")
        }
        thread.join()
        try place.put("/a/b/c", "text", mode: 0o644)
        #expect(try place.files.read("/a/b/c") == Array("text".utf8))
        #expect(try place.files.kind("/a/b/c") == .file(mode: 0o644))
        #expect(try place.files.list("/a/b") == ["c"])
        func mode(_ directory: String) -> mode_t? {
            var status = stat()
            return lstat(place.path + directory, &status) == 0 ? status.st_mode & 0o7777 : nil
        }
        #expect(mode("/a") == 0o755 && mode("/a/b") == 0o755)
        try place.files.makeDirectories(for: "/private/x", mode: 0o700)
        chmod(place.path + "/a/b", 0o711)
        for directory in ["/private", "/a/b"] { try place.files.makeDirectories(for: directory + "/x") }
        #expect(mode("/private") == 0o700 && mode("/a/b") == 0o711, "what is there stays as it is")
        try place.files.remove("/a/b/c")
        #expect(try place.files.kind("/a/b/c") == .absent)
        #expect(try place.files.read("/x/y") == nil)
    }

    @Test("are not reached through links, at the end or on the way")
    func links() throws {
        let place = try Place()
        symlink(place.outside, place.path + "/link")
        symlink(place.outside + "/secret", place.path + "/file")
        symlink("../outside", place.path + "/relative")
        for path in ["/link/secret", "/relative/secret", "/link/new"] {
            #expect(throws: SystemError.self, "\(path)") { try place.put(path, "evil") }
            #expect(throws: SystemError.self, "\(path)") { try place.files.read(path) }
            #expect(throws: SystemError.self, "\(path)") { try place.files.remove(path) }
        }
        #expect(throws: SystemError.self) { try place.files.read("/file") }
        #expect(try place.files.kind("/file") == .other("a symbolic link"))
        for path in ["/../outside/new", "/a/../../outside/new"] {
            #expect(throws: SystemError.self, "\(path)") { try place.put(path, "evil") }
        }
        try place.expectUntouched()
    }

    @Test("are no pipes, devices, directories or second names of other files")
    func kinds() throws {
        let place = try Place()
        mkfifo(place.path + "/pipe", 0o600)
        mkdir(place.path + "/directory", 0o755)
        link(place.outside + "/secret", place.path + "/second")
        for path in ["/pipe", "/directory", "/second"] {
            guard case .other = try place.files.kind(path) else {
                Issue.record("\(path) is taken for a file")
                continue
            }
        }
        #expect(throws: SystemError.self) { try place.files.read("/pipe") }
        try place.expectUntouched()
    }

    @Test("stay confined while somebody swaps a directory for a link, a hundred thousand times")
    func race() throws {
        let place = try Place()
        let path = place.path
        mkdir(path + "/swap", 0o755)
        symlink("../outside", path + "/other")
        let stop = Guarded(false)
        let outside = place.outside
        let swapper = try WorkerThread(name: "swapper") {
            while !stop.withLock({ $0 }) {
                // The link and the directory change places in one step.
                rename(path + "/swap", path + "/spare")
                rename(path + "/other", path + "/swap")
                rename(path + "/swap", path + "/other")
                rename(path + "/spare", path + "/swap")
            }
        }
        var (written, refused) = (0, 0)
        for _ in 0..<100_000 {
            do {
                try place.files.createTemporary(for: "/swap/new", [1], mode: 0o600)
                try place.files.publish("/swap/new")
                written += 1
            } catch {
                refused += 1
            }
        }
        stop.withLock { $0 = true }
        swapper.join()
        #expect(written > 100 && refused > 100, "no race: \(written) written, \(refused) refused")
        #expect(try ConfinedFiles(root: outside).list("/") == ["secret"])
        try place.expectUntouched()
    }
}

@Suite("Child processes")
struct ChildProcessTests {
    @Test("tell their code and output, and get no environment of ours")
    func outcome() throws {
        setenv("TENDRIL_CANARY", "secret", 1)
        let outcome = try ChildProcess.run(
            "/bin/sh",
            ["-c", "echo out; echo err >&2; env; exit 3"],
            timeout: .seconds(60)
        )
        #expect(outcome.code == 3 && outcome.output.hasPrefix("out\nerr\n"))
        #expect(!outcome.output.contains("TENDRIL_CANARY"))
    }

    @Test("are killed with their children after their time")
    func timeout() {
        let begin = Clock.now()
        #expect(throws: SystemError.self) {
            try ChildProcess.run("/bin/sh", ["-c", "sleep 600 & sleep 600"], timeout: .milliseconds(300))
        }
        #expect(Clock.now().since(begin) < Nanoseconds.seconds(60))
    }

    @Test("that are interrupted end by themselves, and are killed where they do not", arguments: [true, false])
    func interrupted(_ heeds: Bool) throws {
        let directory = try TestDirectory()
        let ready = "\(directory.path)/ready"
        let told = heeds ? "echo told; exit 3" : ""
        let script = "trap '\(told)' INT; : >\(ready); while :; do sleep 0.05; done"
        func run() throws -> ChildProcess.Outcome {
            try ChildProcess.run(
                "/bin/sh",
                ["-c", script],
                timeout: .seconds(60),
                patience: heeds ? .seconds(50) : .milliseconds(200)
            ) { FileStamp(ready) == nil ? .goOn : .interrupt }
        }
        if heeds {
            let outcome = try run()
            #expect(outcome.code == 3 && outcome.output == "told\n")
        } else {
            let begin = Clock.now()
            #expect(throws: SystemError.self) { try run() }
            #expect(Clock.now().since(begin) < Nanoseconds.seconds(30))
        }
        withExtendedLifetime(directory) {}
    }

    @Test("cannot fill memory")
    func output() throws {
        let outcome = try ChildProcess.run(
            "/bin/sh",
            ["-c", "head -c 10000000 /dev/zero"],
            timeout: .seconds(60),
            limit: 1000
        )
        #expect(outcome.output.utf8.count == 1000)
    }

    @Test("that do not exist are an error")
    func missing() {
        #expect(throws: SystemError.self) { try ChildProcess.run("/nonexistent", [], timeout: .seconds(1)) }
    }
}
