import Glibc
import LinuxSystem
import NodeAgent
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

extension TestDirectory {
    fileprivate func make(_ directory: String) { mkdir("\(path)/\(directory)", 0o700) }
    fileprivate func write(_ name: String) throws { try DurableFile.write([1], to: "\(path)/\(name)", mode: 0o600) }
    fileprivate func has(_ name: String) -> Bool { access("\(path)/\(name)", F_OK) == 0 }
}
