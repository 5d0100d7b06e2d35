import Glibc
import LinuxSystem
import NodeAgent
import TendrilCore
import TestSupport
import Testing

@Suite("Emptying directories")
struct FileTreeTests {
    @Test(
        "Paths in the table of mounts are read as the kernel writes them",
        arguments: [
            ("tmpfs /a tmpfs rw 0 0\nproc /b/c proc rw 0 0\n", ["/a", "/b/c"]),
            (#"tmpfs /a\040b\011c\012d\134e tmpfs rw 0 0"#, ["/a b\tc\nd\\e"]),
            (#"tmpfs /a\134040 tmpfs rw 0 0"#, [#"/a\040"#]), (#"tmpfs /a\4 tmpfs"#, [#"/a\4"#]),
            (#"tmpfs /a\777 tmpfs"#, [#"/a\777"#]), ("short\n\n", []), ("", []),
        ]
    )
    func table(text: String, points: [String]) { #expect(MountTable.points(Array(text.utf8)) == points) }

    @Test("Everything goes, and links are not followed, but for one that leads to the directory itself")
    func links() throws {
        let (inside, outside) = (try TestDirectory(), try TestDirectory())
        try outside.write("kept")
        inside.make("a")
        try inside.write("a/file")
        symlink(outside.path, "\(inside.path)/a/link")
        symlink(inside.path, "\(outside.path)/top")
        #expect(FileTree.removeContents(of: "\(outside.path)/top") == [])
        #expect(!inside.has("a") && outside.has("kept"))
    }

    @Test("Nothing outside goes while somebody swaps a directory for a link that was seen already")
    func race() throws {
        let (inside, outside) = (try TestDirectory(), try TestDirectory())
        try outside.write("kept")
        let stop = Guarded(false)
        let (path, target) = ("\(inside.path)/swap", outside.path)
        let swapper = try WorkerThread(name: "swapper") {
            while !stop.withLock({ $0 }) {
                mkdir(path, 0o700)
                usleep(100)
                rmdir(path)
                symlink(target, path)
                usleep(100)
                unlink(path)
            }
        }
        for _ in 0..<100 where outside.has("kept") {
            // They take some time between the look at the directory and its turn.
            for file in 0..<100 { try inside.write("\(file)") }
            FileTree.removeContents(of: inside.path)
        }
        stop.withLock { $0 = true }
        swapper.join()
        #expect(outside.has("kept"))
    }

    @Test(
        "What does not open is removed where that is no directory, and left where nobody knows",
        arguments: [
            (ENOTDIR, .noDirectory), (ELOOP, .noDirectory), (ENOENT, .gone), (EMFILE, .unknown), (ENFILE, .unknown),
            (EACCES, .unknown), (EIO, .unknown),
        ] as [(CInt, FileTree.Obstacle)]
    )
    func obstacles(code: CInt, obstacle: FileTree.Obstacle) { #expect(FileTree.Obstacle(code) == obstacle) }

    @Test("What is too deep is left and told; all else goes")
    func deep() throws {
        let inside = try TestDirectory()
        let name = String(repeating: "d", count: 250)
        var level = open(inside.path, O_RDONLY | O_DIRECTORY)
        for _ in 0..<40 {
            mkdirat(level, name, 0o700)
            let next = openat(level, name, O_RDONLY | O_DIRECTORY)
            close(level)
            level = next
        }
        close(level)
        try inside.write("file")
        inside.make("empty")
        let left = FileTree.removeContents(of: inside.path)
        #expect(left.count == 1 && left.allSatisfy { $0.utf8.count > 8192 && $0.hasPrefix("\(inside.path)/\(name)/") })
        #expect(!inside.has("file") && !inside.has("empty"))
        // What lay deep does so no more.
        let upper = "\(inside.path)/" + Array(repeating: name, count: 12).joined(separator: "/")
        #expect(rename(upper, "\(inside.path)/rest") == 0)
        #expect(FileTree.removeContents(of: inside.path) == [])
        #expect(rmdir(inside.path) == 0)
    }

    @Test("Names that are no text go, too")
    func bytes() throws {
        let inside = try TestDirectory()
        let name = "\(inside.path)/".utf8CString.dropLast() + [CChar(bitPattern: 0xFF), 0]
        mkdir(Array(name), 0o700)
        FileTree.removeContents(of: inside.path)
        #expect(rmdir(inside.path) == 0)
    }

    @Test(
        "What is mounted is unmounted, whatever it is called; what cannot be is left as it is, and told",
        .enabled(if: geteuid() == 0, "mounts need root"),
        arguments: [true, false]
    )
    func mounts(isUnmounted: Bool) throws {
        let (top, volume) = (try TestDirectory(), try TestDirectory())
        try volume.write("data")
        top.make("pod")
        try top.write("pod/file")
        let places = ["\(top.path)/pod/other file system", "\(top.path)/pod/same\\040one"]
        for place in places { mkdir(place, 0o700) }
        let sources = [("tmpfs", "tmpfs", UInt(0)), (volume.path, "", UInt(MS_BIND))]
        for (place, source) in zip(places, sources) {
            guard mount(source.0, place, source.1, source.2, nil) == 0 else {
                throw SystemError("mount \(place)", code: errno)
            }
        }
        try top.write("pod/other file system/data")
        defer { for place in places { umount2(place, CInt(MNT_DETACH)) } }
        let left =
            isUnmounted ? FileTree.removeContents(of: top.path) : FileTree.removeContents(of: top.path) { _ in }
        #expect(left == (isUnmounted ? [] : places))
        #expect(volume.has("data"))
        #expect(top.has("pod/other file system/data") == !isUnmounted && top.has("pod") == !isUnmounted)
        #expect(!top.has("pod/file"))
    }
}

@Suite("Pods that a kubelet leaves behind")
struct PodSandboxesTests {
    @Test("end; where containerd does not answer, that is told")
    func ends() throws {
        let directory = try TestDirectory()
        let program = "\(directory.path)/ctr"
        func script(_ text: String) throws { try DurableFile.write(Array(text.utf8), to: program, mode: 0o700) }
        try PodSandboxes.removeAll(program)
        try script("#!/bin/sh\necho 'ctr: failed to dial' >&2\nexit 1\n")
        let failure = #expect(throws: AgentFailure.self) { try PodSandboxes.removeAll(program) }
        #expect(failure?.message.contains("failed to dial") == true)
    }

    /// A program in the place of containerd's client; the files `tasks` and `containers` hold what there is.
    ///
    /// One called `late` goes when it is told to a second time, one called `stuck` never.
    private static func client(_ directory: TestDirectory, tasks: [String]) throws -> String {
        let script = #"""
            #!/bin/sh
            cd "\#(directory.path)" || exit 1
            for name do :; done
            case "$3 $4 $name" in
            *' list --quiet') echo 'level=warning msg="old"' >&2; cat "$3" ;;
            *' kill '*) exit 1 ;;
            *' stuck') echo 'ctr: it is busy' >&2; exit 1 ;;
            *' late') [ -e told ] && sed -i /^late$/d "$3"; echo >told ;;
            *) sed -i "/^$name\$/d" "$3" ;;
            esac
            """#
        let program = "\(directory.path)/ctr"
        try DurableFile.write(Array("\(script)\n".utf8), to: program, mode: 0o700)
        for kind in ["tasks", "containers"] { try directory.write(kind, tasks.map { $0 + "\n" }.joined()) }
        return program
    }

    @Test("all go, however long their list is, and at whatever attempt")
    func many() throws {
        let directory = try TestDirectory()
        // More than 64 KiB.
        let names = (100..<170).map { "\($0)" + String(repeating: "a", count: 1000) }
        let program = try Self.client(directory, tasks: names + ["late"])
        try PodSandboxes.removeAll(program)
        for kind in ["tasks", "containers"] {
            #expect(try DurableFile.read("\(directory.path)/\(kind)").isEmpty, "\(kind)")
        }
    }

    @Test("stop the reset where one of them does not go")
    func stuck() throws {
        let directory = try TestDirectory()
        let program = try Self.client(directory, tasks: ["one", "stuck"])
        let failure = #expect(throws: AgentFailure.self) { try PodSandboxes.removeAll(program) }
        #expect(failure?.message.contains("1 tasks stay") == true && failure?.message.contains("it is busy") == true)
        #expect(try DurableFile.read("\(directory.path)/containers") == Array("one\nstuck\n".utf8))
    }
}

extension TestDirectory {
    fileprivate func make(_ directory: String) { mkdir("\(path)/\(directory)", 0o700) }
}
