import FoundationEssentials
import LinuxSystem
import NodePlan
import StrictYAML
import TLSEngine
import TendrilCore
import TestSupport
import Testing

@Suite("User data")
struct UserDataTests {
    static let document = """
        apiVersion: agent.tendril.dev/v1alpha1
        kind: UserData
        token: abcdef.0123456789abcdef
        program: {baked: true}
        agent:
          apiVersion: agent.tendril.dev/v1alpha1
          kind: AgentConfiguration
          cluster: shoot--a--b
          pool: worker
          apiServers: ["https://api.example.org:6443"]
          certificateAuthorityPins: ["sha256:0000000000000000000000000000000000000000000000000000000000000000"]
          configurationKeys: ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]
        """

    static func configuration(_ text: String = document) throws -> UserDataConfiguration {
        try StrictDecoder.decode(UserDataConfiguration.self, from: Array(text.utf8))
    }

    @Test("fits into eight KiB, and is YAML that holds the agent's configuration and the token")
    func cloudConfig() throws {
        let configuration = try Self.configuration()
        #expect(configuration.problems.isEmpty)
        let bytes = try UserData.render(configuration, as: .cloudConfig, unit: AgentUnit.text)
        #expect(bytes.count <= 8 * 1024, "\(bytes.count) bytes")
        #expect(String(decoding: bytes.prefix(14), as: UTF8.self) == "#cloud-config\n")
        let files = try Self.files(bytes)
        #expect(files["/etc/tendril/bootstrap-token"] == "abcdef.0123456789abcdef\n")
        #expect(
            files["/etc/systemd/system/tendril-agent.service"]?.contains("ExecStart=/usr/bin/tendril-agent run") == true
        )
        let agent = try StrictDecoder.decode(
            AgentConfiguration.self,
            from: Array((files["/etc/tendril/agent.yaml"] ?? "").utf8)
        )
        #expect(agent.cluster == "shoot--a--b" && agent.problems.isEmpty)
    }

    @Test(
        "A program that is fetched is put where the system can be written to, and run from there",
        arguments: zip(UserData.Format.allCases, ["/usr/bin", "/opt/bin"])
    )
    func fetchedProgram(format: UserData.Format, directory: String) throws {
        let sha = String(repeating: "0", count: 64)
        for program in [
            UserDataConfiguration.Program(url: "https://a/b", sha256: sha), .init(image: "a/b", sha256: sha),
        ] {
            var configuration = try Self.configuration()
            configuration.program = program
            #expect(configuration.problems.isEmpty)
            let files = try Self.files(UserData.render(configuration, as: format, unit: AgentUnit.text))
            let agent = try #require(files["/etc/systemd/system/tendril-agent.service"])
            #expect(agent.contains("\nExecStart=\(directory)/tendril-agent run\n"))
            let fetch = try #require(files["/etc/systemd/system/tendril-fetch.service"])
            #expect(fetch.contains("\nConditionPathExists=!\(directory)/tendril-agent\n"))
            let script = try #require(files["/etc/tendril/fetch-program"])
            #expect(script.contains("\nprogram=\(directory)/tendril-agent\n"))
            #expect(script.contains("\"$mount/usr/bin/tendril-agent\""), "where it is in the image")
        }
    }

    /// A program in the place of containerd's client, for the directory in which it stands.
    private static let client = """
        #!/bin/sh
        cd "${0%/*}"
        case "$4" in
        mount) echo x >>mounts; mkdir -p "$6/usr/bin"; [ ! -e image ] || cp image "$6/usr/bin/tendril-agent" ;;
        unmount) rm -r "$6/usr" mounts ;;
        esac
        """

    /// What is in an image in the program's place, and whether that is the one that is wanted.
    static let images: [(content: String?, isWanted: Bool)] = [("program", true), (nil, false), ("another", false)]

    @Test("What fetches the program leaves no mount, however it ends", arguments: images)
    func fetching(image: (content: String?, isWanted: Bool)) throws {
        let directory = try TestDirectory()
        let files = try ConfinedFiles(root: directory.path)
        func write(_ path: String, _ text: String) throws {
            try files.makeDirectories(for: path)
            try DurableFile.write(Array(text.utf8), to: directory.path + path, mode: 0o755)
        }
        var configuration = try Self.configuration()
        configuration.program = .init(image: "a/b", sha256: Digest.hex(Array("program".utf8)))
        let rendered = try Self.files(UserData.render(configuration, as: .cloudConfig, unit: AgentUnit.text))
        try write("/program", try #require(rendered["/etc/tendril/program"]))
        let script = try #require(rendered["/etc/tendril/fetch-program"])
            .replacing("</etc/tendril/program", with: "<\(directory.path)/program")
            .replacing("program=/usr/bin/", with: "program=\(directory.path)/bin/")
        try write("/fetch", script)
        try write("/fake/ctr", Self.client + "\n")
        try write("/fake/systemctl", "#!/bin/sh\n")
        if let content = image.content { try write("/fake/image", content) }
        try files.makeDirectories(for: "/tmp/x")
        let outcome = try ChildProcess.run(
            "/bin/sh",
            [directory.path + "/fetch"],
            environment: ["PATH=\(directory.path)/fake:/usr/bin:/bin", "TMPDIR=\(directory.path)/tmp"],
            timeout: .seconds(30)
        )
        #expect(outcome.isSuccess == image.isWanted, "\(outcome.output)")
        #expect(try files.list("/tmp").isEmpty && files.kind("/fake/mounts") == .absent)
        let program = try files.read("/bin/tendril-agent").map { String(decoding: $0, as: UTF8.self) }
        #expect(program == (image.isWanted ? "program" : nil))
        withExtendedLifetime(directory) {}
    }

    @Test("A program of the machine's image is run from there", arguments: UserData.Format.allCases)
    func bakedProgram(format: UserData.Format) throws {
        let files = try Self.files(UserData.render(Self.configuration(), as: format, unit: AgentUnit.text))
        let agent = try #require(files["/etc/systemd/system/tendril-agent.service"])
        #expect(agent.contains("\nExecStart=/usr/bin/tendril-agent run\n"))
        #expect(files["/etc/systemd/system/tendril-fetch.service"] == nil)
    }

    @Test("is refused beyond sixteen KiB")
    func tooLarge() throws {
        var configuration = try Self.configuration()
        configuration.agent.certificateAuthorityPins = nil
        configuration.agent.certificateAuthority =
            "-----BEGIN CERTIFICATE-----\n" + String(repeating: "A", count: 16 * 1024)
        #expect(throws: UserData.RenderingError.self) {
            try UserData.render(configuration, as: .cloudConfig, unit: AgentUnit.text)
        }
    }

    @Test("Whatever stands in a field stays in that field")
    func injection() throws {
        let payloads = [
            "\n- [sh, -c, reboot]\n", "${jndi:x}", "{{ x }}", "%", "`id`", "\u{202E}evil", "!!python/object:x", "&a *a",
            "# x", "'\"\\",
            "\u{01}\u{7F}", "- a\n- b", "|\n  x", "\u{85}\u{2028}",
        ]
        var generator = SeededGenerator(seed: 7)
        for round in 0..<500 {
            var configuration = try Self.configuration()
            let payload =
                payloads[round % payloads.count] + payloads[Int.random(in: 0..<payloads.count, using: &generator)]
            configuration.agent.certificateAuthorityPins = nil
            configuration.agent.certificateAuthority = payload
            configuration.agent.machineName = payload
            for format in UserData.Format.allCases {
                let bytes = try UserData.render(configuration, as: format, unit: AgentUnit.text)
                guard format == .cloudConfig else { continue }
                let tree = try YAMLParser.parse(bytes).json
                guard case .array(let commands)? = tree["runcmd"], case .object(let top) = tree else {
                    Issue.record("no commands")
                    continue
                }
                #expect(commands.count == 2 && Set(top.keys) == ["runcmd", "write_files"])
                let text = try Self.files(bytes)["/etc/tendril/agent.yaml"] ?? ""
                let agent = try StrictDecoder.decode(AgentConfiguration.self, from: Array(text.utf8))
                #expect(agent.certificateAuthority == payload && agent.machineName == payload)
            }
        }
    }

    @Test(
        "Bad fields are refused by name",
        arguments: [
            ("abcdef.0123456789abcdef", "nonsense", "token"), ("shoot--a--b", "Shoot", "agent.cluster"),
            ("https://api", "http://api", "agent.apiServers[0]"), (":6443", ":6443/path", "agent.apiServers[0]"),
            ("sha256:0", "sha1:0", "agent.certificateAuthorityPins[0]"), ("AAA=", "AA=", "agent.configurationKeys[0]"),
            ("{baked: true}", "{}", "program"), ("{baked: true}", "{url: 'http://x', sha256: 00}", "program.url"),
            ("{baked: true}", "{url: 'https://x'}", "program.sha256"),
            ("pool: worker", "pool: worker\n  machineClass: a b", "agent.machineClass"),
            ("pool: worker", "pool: Worker", "agent.pool"),
        ]
    )
    func badFields(change: (from: String, to: String, place: String)) throws {
        let start = try #require(Self.document.range(of: change.from))
        let text = Self.document.replacingCharacters(in: start, with: change.to)
        let places = try Self.configuration(text).problems.map(\.path)
        #expect(places.contains(change.place), "\(places)")
    }

    /// The files and units of user data of either form, by path.
    private static func files(_ bytes: [UInt8]) throws -> [String: String] {
        let tree = try YAMLParser.parse(bytes).json
        if case .array(let files)? = tree["write_files"] {
            return Dictionary(files.map { ($0["path"]?.text ?? "", $0["content"]?.text ?? "") }) { $1 }
        }
        guard case .array(let files)? = tree["storage"]?["files"], case .array(let units)? = tree["systemd"]?["units"]
        else { return [:] }
        let encoded = files.map { file in
            let source = file["contents"]?["source"]?.text?.dropFirst("data:;base64,".count) ?? ""
            let text = Data(base64Encoded: String(source)).map { String(decoding: $0, as: UTF8.self) }
            return (file["path"]?.text ?? "", text ?? "")
        }
        let plain = units.map { unit in
            ("/etc/systemd/system/\(unit["name"]?.text ?? "")", unit["contents"]?.text ?? "")
        }
        return Dictionary(encoded + plain) { $1 }
    }
}

extension String {
    func range(of text: String) -> Range<String.Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            start = index(after: start)
        }
        return nil
    }

    func replacingCharacters(in range: Range<String.Index>, with text: String) -> String {
        String(self[..<range.lowerBound]) + text + String(self[range.upperBound...])
    }
}
