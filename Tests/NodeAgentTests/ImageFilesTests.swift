import LinuxSystem
import NodeAgent
import NodePlan
import TestSupport
import Testing

@Suite("Files out of images")
struct ImageFilesTests {
    private static let image = NodeConfiguration.ImageFile(
        reference: "registry/tool@sha256:0",
        path: "/tool",
        sha256: String(repeating: "0", count: 64)
    )

    /// Notes what is asked of containerd; it finds no room for what is exported, and removes nothing while it is stuck.
    private static let client = """
        #!/bin/sh
        cd "${0%/*}"
        echo "$2 $3 $4" >>log
        case "$3 $4" in
        "images export") echo "no space left on device"; exit 1 ;;
        "images remove") [ "$5" = registry/tool@sha256:0 ] && [ ! -e stuck ] ;;
        esac

        """

    private let machine: TestMachine
    private let directory: TestDirectory
    private let images: ImageFiles

    init() throws {
        machine = try TestMachine()
        directory = try TestDirectory()
        try DurableFile.write(Array(Self.client.utf8), to: "\(directory.path)/ctr", mode: 0o700)
        images = ImageFiles(machine.context, client: "\(directory.path)/ctr")
    }

    private func asked() throws -> [String] {
        let bytes = try ConfinedFiles(root: directory.path).read("/log") ?? []
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    @Test("An image does not stay in containerd where its file cannot be taken out")
    func failed() throws {
        let failure = #expect(throws: AgentFailure.self) { try images.fetch(Self.image) }
        #expect(failure?.cause == .image && failure?.message.contains("no space left") == true)
        #expect(
            try asked() == ["tendril content fetch", "tendril images export", "tendril images remove"]
        )
        #expect(try machine.text(AgentPaths.pulled) == nil)
        images.tidy()
        #expect(try asked().count == 3, "nothing is asked where nothing was pulled")
    }

    @Test("What could not be removed, or was left by a stop, is removed later, and before anything else is pulled")
    func left() throws {
        try directory.write("stuck")
        #expect(throws: AgentFailure.self) { try images.fetch(Self.image) }
        #expect(try machine.text(AgentPaths.pulled) == Self.image.reference)
        images.tidy()
        #expect(try machine.text(AgentPaths.pulled) == Self.image.reference)
        let before = try asked().count
        #expect(throws: AgentFailure.self) { try images.fetch(Self.image) }
        #expect(try asked().dropFirst(before) == ["tendril images remove"], "nothing more is pulled")
        try ConfinedFiles(root: directory.path).remove("/stuck")
        images.tidy()
        #expect(try machine.text(AgentPaths.pulled) == nil && asked().last == "tendril images remove")
    }

    @Test("What a kill left in containerd is removed where nothing more is pulled, and no download with it")
    func killed() throws {
        images.removeLeft()
        #expect(try asked().isEmpty, "nothing was left")
        try machine.write(AgentPaths.pulled, Self.image.reference)
        let download = AgentPaths.download(Self.image.sha256)
        try machine.write(download, "taken out")
        images.removeLeft()
        #expect(try machine.text(AgentPaths.pulled) == nil && asked() == ["tendril images remove"])
        #expect(try machine.text(download) == "taken out")
    }
}
