import Foundation
import Glibc
import LinuxSystem
import TendrilCore
import Testing

/// The programs as they are shipped, by the names of the variables that say where they are.
enum Shipped: String, CaseIterable {
    case tendril = "TENDRIL"
    case agent = "TENDRIL_AGENT"
    case coordinator = "TENDRIL_COORDINATOR"
    case vpn = "TENDRIL_VPN"

    var path: String? { ProcessInfo.processInfo.environment[rawValue] }

    /// Why they cannot be tested here, or `nil`.
    static var obstacle: String? {
        let missing = allCases.filter { $0.path == nil }.map(\.rawValue)
        return missing.isEmpty ? nil : "\(missing.joined(separator: ", ")) do not name the programs (make test does)"
    }

    func run(_ arguments: [String]) throws -> ChildProcess.Outcome {
        try ChildProcess.run(try #require(path), arguments, timeout: .seconds(120), limit: 1 << 20)
    }
}

@Suite("Command lines", .enabled(if: Shipped.obstacle == nil, "\(Shipped.obstacle ?? "")"))
struct CommandLineTests {
    /// Files that are wrong, and a garden where nobody is.
    private final class Files {
        let directory = NSTemporaryDirectory() + "lines-\(UUID().uuidString)/"

        init() throws {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            for (name, text) in CommandLineTests.files {
                try text.write(toFile: directory + name, atomically: true, encoding: .utf8)
            }
        }

        deinit { try? FileManager.default.removeItem(atPath: directory) }
    }

    private static let files = [
        "garden": """
        {apiVersion: v1, kind: Config, current-context: a, contexts: [{name: a, context: {cluster: a, user: a}}],
        clusters: [{name: a, cluster: {server: "https://127.0.0.1:1"}}], users: [{name: a, user: {token: x}}]}
        """,
        "shoot": """
        {apiVersion: tendril.dev/v1alpha1, kind: Shoot, metadata: {name: one, namespace: other},
        spec: {kubernetes: {version: 1.19.0}, provider: {type: local}, workers: [{name: w, minimum: 3, maximum: 2}]}}
        """,
        "unknown": """
        {apiVersion: tendril.dev/v1alpha1, kind: Shoot, metadata: {name: one},
        spec: {colour: red, kubernetes: {version: 1.20.2}, provider: {type: local}, workers: [{name: w}]}}
        """,
        "agent": """
        {apiVersion: agent.tendril.dev/v1alpha1, kind: AgentConfiguration, cluster: A_, pool: p,
        apiServers: ["http://a"], configurationKeys: [x], logLevel: loud}
        """,
        "coordinator": """
        {apiVersion: coordinator.tendril.dev/v1alpha1, kind: CoordinatorConfiguration, seed: here, syncMinutes: 0, colour: red,
        images: {kubernetes: a, tendril: ""}, machineImages: [{name: default, program: {baked: true}}], metrics: x}
        """,
        "good": """
        {apiVersion: coordinator.tendril.dev/v1alpha1, kind: CoordinatorConfiguration, seed: here,
        images: {kubernetes: a, tendril: b}, machineImages: [{name: default, program: {baked: true}}]}
        """,
        "fetched": """
        {apiVersion: coordinator.tendril.dev/v1alpha1, kind: CoordinatorConfiguration, seed: there, namespace: A B,
        images: {kubernetes: a, tendril: "https://ghcr.io/x/"}, machineImages: [{name: default, ami: foo, kubernetes: [v1.33.4],
        program: {url: "http://x", sha256: z}}]}
        """,
        "broken": "a: [",
        "machine": """
        {apiVersion: agent.tendril.dev/v1alpha1, kind: UserData, token: 0a1b2c.0123456789abcdef, program: {baked: true},
        agent: {apiVersion: agent.tendril.dev/v1alpha1, kind: AgentConfiguration, cluster: a, pool: p, apiServers: ["https://a:1"],
        configurationKeys: [AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=], certificateAuthority: "-----BEGIN CERTIFICATE-----"}}
        """,
        "budget": """
        {apiVersion: node.tendril.dev/v1alpha1, kind: NodeConfiguration, metadata: {pool: W_, generation: 1}, spec: {restartBudget: 11}}
        """,
        "units": """
        {apiVersion: node.tendril.dev/v1alpha1, kind: NodeConfiguration, metadata: {pool: w, generation: 1},
        spec: {units: [{name: a.service, state: foo}]}}
        """,
        "wide": """
        {apiVersion: tendril.dev/v1alpha1, kind: Seed, metadata: {name: here},
        spec: {networks: {pods: 10.1.0.0/16, services: 10.2.0.0/16, nodes: 10.3.0.0/16},
        exposure: {type: nodeport, address: 198.51.100.1}, capacity: 99999}}
        """,
        "gardener": """
        {apiVersion: core.gardener.cloud/v1beta1, kind: Seed, metadata: {name: here}}
        """,
        "seed": """
        {apiVersion: tendril.dev/v1alpha1, kind: Seed, metadata: {name: there},
        spec: {networks: {pods: 10.1.0.0/16, services: 10.2.0.0/16, nodes: 10.3.0.0/16},
        exposure: {type: NodePort, address: 198.51.100.1}}}
        """,
    ]

    /// A command line, how it ends, and what is told; `@NAME` is one of the files.
    fileprivate struct Case: Sendable, CustomTestStringConvertible {
        let program: Shipped
        let words: String
        let code: Int
        let told: [String]

        init(_ program: Shipped, _ words: String, _ code: Int, _ told: String...) {
            (self.program, self.words, self.code, self.told) = (program, words, code, told)
        }

        var testDescription: String { "\(program.rawValue) \(words)" }
    }

    private static let garden = "--kubeconfig @garden"

    fileprivate static let cases = [
        Case(.tendril, "shoot get --watch", 64, "--watch needs the name of a shoot"),
        Case(.tendril, "shoot get one --output xml", 64, "--output", "table", "json", "yaml"),
        Case(.tendril, "shoot get one --kubeconfig @missing", 78, "error: kubeconfig ", "missing: could not open"),
        Case(.tendril, "shoot get one --kubeconfig @broken", 78, "error: kubeconfig ", "broken: line "),
        Case(.tendril, "shoot plan --file @broken \(garden)", 78, "broken: line "),
        Case(.tendril, "shoot get one \(garden)", 69, "error: could not reach https://127.0.0.1:1/"),
        Case(.tendril, "shoot delete one --confirm two", 64, "--confirm has to repeat the shoot's name, one"),
        Case(.tendril, "shoot delete one", 64, "--confirm"),
        Case(.tendril, "shoot rotate one", 64, "say --start or --complete"),
        Case(.tendril, "shoot hibernate", 64, "name"),
        Case(
            .tendril,
            "shoot plan --file @shoot \(garden)",
            78,
            "shoot: spec.kubernetes.version: 1.19.0",
            "shoot: spec.workers[0].minimum: 3 is more than the maximum 2",
            "shoot: metadata.namespace: is other, and the project is default"
        ),
        Case(.tendril, "shoot create --file @unknown \(garden)", 78, "unknown: spec.colour"),
        Case(.tendril, "shoot create --file @missing \(garden)", 78, "error: could not open ", "missing: No such"),
        Case(.tendril, "up --seed @missing --config @good \(garden)", 78, "error: could not open ", "missing: No such"),
        Case(.tendril, "kubeconfig one \(garden)", 69, "error: "),
        Case(.tendril, "vpn status one \(garden)", 69, "error: "),
        Case(.tendril, "node status one \(garden)", 69, "error: "),
        Case(.tendril, "up --seed @seed --config @good --replicas 11 \(garden)", 64, "--replicas must be 1 to 10"),
        Case(.tendril, "up --seed @seed --config @good \(garden)", 78, "seed: is here, and the Seed's name is there"),
        Case(.tendril, "up --seed @seed --config @coordinator \(garden)", 78, "images.tendril: is empty"),
        Case(.tendril, "up --seed @seed --config @fetched \(garden)", 78, "machineImages[0].program.url: is not https"),
        Case(
            .tendril,
            "up --seed @wide --config @good \(garden)",
            78,
            "wide: spec.capacity: 99999 is more than 10000 (line 3)",
            "wide: spec.exposure.type: nodeport is none of NodePort, LoadBalancer (line 3)"
        ),
        Case(
            .tendril,
            "up --seed @gardener --config @good \(garden)",
            78,
            "apiVersion: is core.gardener.cloud/v1beta1; it has to be tendril.dev/v1alpha1 (line 1)"
        ),
        Case(.tendril, "down --seed here \(garden)", 69, "error: "),
        Case(
            .agent,
            "check --config @agent",
            78,
            "error: cluster: ",
            "error: apiServers[0]: ",
            "error: configurationKeys[0]: ",
            "error: certificateAuthority: is missing",
            "error: logLevel: is none of trace"
        ),
        Case(.agent, "user-data --config @agent --format toml", 64, "--format", "cloud-config", "ignition"),
        Case(.agent, "user-data --config @agent", 78, "error: "),
        Case(.coordinator, "run --check --config @good", 0, "The configuration is valid."),
        Case(
            .coordinator,
            "run --check --config @fetched",
            78,
            "error: namespace: is no DNS label",
            "error: images.tendril: https://ghcr.io/x/ is no registry",
            "error: machineImages[0].program.url: is not https",
            "error: machineImages[0].program.sha256: is not 64",
            "error: machineImages[0].ami: is not ami-",
            "error: machineImages[0].kubernetes[0]: v1.33.4 is no release"
        ),
        Case(
            .coordinator,
            "run --check --config @coordinator",
            78,
            "error: colour: is no field",
            "error: images.tendril: is empty",
            "error: syncMinutes: is not 1 to 10080",
            "error: metrics: is not ADDRESS:PORT"
        ),
        Case(.coordinator, "run --check --config @unknown", 78, "error: "),
        Case(.coordinator, "manifests bootstrap --server https://a:1", 64, "--server and --ca go together"),
        Case(.coordinator, "manifests token --pool A_ --token-file @token", 64, "--pool is no DNS label"),
        Case(.coordinator, "manifests token --pool a --token-file -", 64, "--token-file must be a file"),
        Case(.coordinator, "manifests token --pool a --token-file @token --minutes 0", 64, "--minutes must be"),
        Case(.coordinator, "manifests token --pool a --token-file @token --allow-rejoin", 64, "needs --machine"),
        Case(.coordinator, "manifests token --pool a --token-file @token --name-prefix W_", 64, "--name-prefix is no"),
        Case(
            .coordinator,
            "manifests token --pool a --token-file @token --machine w1 --name-prefix zz",
            64,
            "--machine does not begin with --name-prefix"
        ),
        Case(.coordinator, "manifests bootstrap --server x --ca @garden", 64, "--server is not https://HOST:PORT"),
        Case(.coordinator, "manifests bootstrap --server https://x:1 --ca @garden", 78, "error: "),
        Case(
            .coordinator,
            "manifests node-configuration --config @budget --signing-key @missing",
            78,
            "error: metadata.pool: is no DNS label",
            "error: spec.restartBudget: must be 1 to 10"
        ),
        Case(
            .coordinator,
            "manifests node-configuration --config @units --signing-key @missing",
            78,
            "error: spec.units[0].state: foo is none of started, stopped, untouched (line 2)"
        ),
        Case(.coordinator, "manifests webhook --namespace A_", 64, "--namespace: A_ is no DNS label"),
        Case(
            .coordinator,
            """
            approver --kubeconfig @garden --cluster A_ --ca-certificate x --ca-key x --node-network 10.0.0.1/8 \
            --node-network y --metrics z --log-level loud --log-format xml
            """,
            78,
            "error: --cluster: A_",
            "error: --node-network: 10.0.0.1/8",
            "error: --node-network: y",
            "error: --metrics: z",
            "error: --log-level: loud is none of trace",
            "error: --log-format: xml is none of text"
        ),
        Case(
            .coordinator,
            "approver --kubeconfig @broken --cluster a --ca-certificate x --ca-key x",
            78,
            "error: --kubeconfig: kubeconfig ",
            "broken: line "
        ),
        Case(
            .coordinator,
            "approver --kubeconfig @garden --cluster a --ca-certificate @missing --ca-key x",
            78,
            "error: --ca-certificate: could not open"
        ),
        Case(.vpn, "status --socket @missing", 69, "error: "),
        Case(.vpn, "certificates --cluster a_b --out @pki", 78, "error: "),
        Case(.vpn, "certificates --cluster a --out @pki --days 0", 78, "error: ", "days"),
        Case(
            .vpn,
            "certificates --cluster a --out @pki --server-name a --server-name a",
            78,
            "error: --server-name: two names are the same"
        ),
        Case(
            .vpn,
            "server --check --no-packets --ca @missing --certificate @garden --key @missing --gate-key @missing",
            78,
            "error: ca: could not open",
            "garden holds no certificate in PEM",
            "error: key: could not open",
            "error: gateKey: could not open"
        ),
    ]

    @Test("end with a code that tells, and say which field or flag is wrong", arguments: cases)
    fileprivate func refused(_ example: Case) throws {
        let files = try Files()
        let words = example.words.split(separator: " ").map {
            $0.hasPrefix("@") ? files.directory + $0.dropFirst() : String($0)
        }
        let outcome = try example.program.run(words)
        #expect(outcome.code == example.code, "\(outcome.output)")
        for text in example.told { #expect(outcome.output.contains(text), "\(text): \(outcome.output)") }
        for name in ["token", "pki"] {
            #expect(!FileManager.default.fileExists(atPath: files.directory + name), "\(name) was made")
        }
    }

    @Test("leave alone what is where they are to write, and links, directories and pipes above all")
    func occupied() throws {
        let files = try Files()
        let manager = FileManager.default
        let (kept, link, pipe) = (files.directory + "kept", files.directory + "link", files.directory + "pipe")
        try "kept".write(toFile: kept, atomically: true, encoding: .utf8)
        try manager.createSymbolicLink(atPath: link, withDestinationPath: kept)
        #expect(mkfifo(pipe, 0o600) == 0)
        let places = [
            (kept, "is there already; "), (link, "is no regular file"), (pipe, "is no regular file"),
            (files.directory, "is no regular file"),
        ]
        for (path, reason) in places {
            let advice = path == kept ? "; to replace it: --force" : "; for a pipe leave --out out"
            let token = try Shipped.coordinator.run(["manifests", "token", "--pool", "a", "--token-file", path])
            #expect(token.code == 71 && token.output.contains("--token-file: \(path) \(reason)"), "\(token.output)")
            #expect(token.output.contains("; name another one"), "\(token.output)")
            #expect(!token.output.contains("bootstrap.kubernetes.io/token"), "\(token.output)")
            let words = ["user-data", "--config", files.directory + "machine", "--out", path]
            let data = try Shipped.agent.run(words)
            #expect(data.code == 71 && data.output.contains("--out: \(path) \(reason)"), "\(data.output)")
            #expect(data.output.contains(advice), "\(data.output)")
            #expect(try Shipped.agent.run(words + ["--force"]).code == (path == kept ? 0 : 71))
            try "kept".write(toFile: kept, atomically: false, encoding: .utf8)
        }
        let printed = try Shipped.agent.run(["user-data", "--config", files.directory + "machine", "--out", "-"])
        #expect(printed.code == 0 && printed.output.hasPrefix("#cloud-config"), "\(printed.output)")
        #expect(!manager.fileExists(atPath: "-"))
        #expect(try manager.destinationOfSymbolicLink(atPath: link) == kept)
        #expect(try manager.attributesOfItem(atPath: pipe)[.type] as? FileAttributeType != .typeRegular)
    }

    @Test("explain every command and every option of it", arguments: Shipped.allCases)
    fileprivate func help(_ program: Shipped) throws {
        struct Dump: Decodable {
            struct Argument: Decodable {
                let abstract: String?
                let kind: String
                let shouldDisplay: Bool
                let valueName: String?
            }
            struct Command: Decodable {
                let commandName: String
                let abstract: String?
                let arguments: [Argument]?
                let subcommands: [Command]?
            }
            let command: Command
        }
        func check(_ command: Dump.Command, _ path: String) {
            #expect(command.abstract?.isEmpty == false, "\(path)")
            for argument in command.arguments ?? [] where argument.shouldDisplay {
                #expect(argument.abstract?.isEmpty == false, "\(path): \(argument.valueName ?? argument.kind)")
            }
            for inner in command.subcommands ?? [] where inner.commandName != "help" {
                check(inner, "\(path) \(inner.commandName)")
            }
        }
        let outcome = try program.run(["--experimental-dump-help"])
        check(try JSONDecoder().decode(Dump.self, from: Data(outcome.output.utf8)).command, program.rawValue)
        let completions = try program.run(["--generate-completion-script", "zsh"]).output
        #expect(completions.contains("_files"), "files are not completed")
        let (long, short) = (try program.run(["--help"]), try program.run([]))
        #expect(long.code == 0 && long.output.contains("SUBCOMMANDS:") && short.output.contains("SUBCOMMANDS:"))
    }

    @Test("of the tunnel have every setting that its files have")
    func settings() throws {
        let page = try String(
            contentsOf: URL(filePath: #filePath).deletingLastPathComponent().appending(
                path: "../../docs/configuration.md"
            ),
            encoding: .utf8
        )
        let table = page.prefix(upTo: try #require(page.range(of: "## Certificates for a pair")).lowerBound)
        let help = try ["server", "client"].map { try Shipped.vpn.run([$0, "--help"]).output }
        var count = 0
        for row in table.split(separator: "\n") where row.hasPrefix("| `") {
            let cells = row.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells[1] != "file only" else { continue }
            for flag in cells[1].matches(of: /`(--[a-z-]+)`/) {
                for (role, text) in zip(["server", "client"], help) {
                    let isMeant = cells[2] == "both" || cells[2] == role
                    #expect(
                        (text.contains("\(flag.1) ") || text.contains("\(flag.1)\n")) == isMeant,
                        "\(role) \(flag.1)"
                    )
                }
                count += 1
            }
        }
        #expect(count > 30)
    }
}
