import Foundation
import TendrilCore
import Testing
import TunnelDaemon

@Suite("The configuration")
struct ConfigurationTests {
    private let server = """
        apiVersion: vpn.tendril.dev/v1alpha1
        kind: ServerConfiguration
        ca: ca.crt
        certificate: server.crt
        key: server.key
        gateKey: gate.key
        addresses: [10.98.0.1/24, "fd98::1/64"]
        networks: [10.2.0.0/16, "fd02::/64"]

        """

    private func problems(
        _ text: String,
        role: TunnelIdentity.Role = .server,
        flags: (inout RawSettings) -> Void = { _ in }
    ) -> [String] {
        do throws(ConfigurationError) {
            var raw = try ConfigurationFile.parse(Array(text.utf8), role: role)
            flags(&raw)
            _ = try ConfigurationValidator.validate(raw, role: role)
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    @Test("has its defaults")
    func hasDefaults() throws {
        let raw = try ConfigurationFile.parse(Array(server.utf8), role: .server)
        let configuration = try ConfigurationValidator.validate(raw, role: .server)
        #expect(configuration.listen == Endpoint(host: "", port: 8132) && configuration.lanes == 2)
        #expect(configuration.mtu == 1500 && configuration.packets && configuration.tun == "tendril0")
        #expect(configuration.socket == "/run/tendril/vpn-server.sock" && configuration.metrics == nil)
    }

    @Test("is overridden by flags")
    func isOverridden() throws {
        var raw = try ConfigurationFile.parse(Array(server.utf8), role: .server)
        raw.set(.mtu, ["9000"])
        raw.set(.network, ["10.7.0.0/16"])
        let configuration = try ConfigurationValidator.validate(raw, role: .server)
        #expect(configuration.mtu == 9000 && configuration.networks.map(\.description) == ["10.7.0.0/16"])
    }

    @Test(
        "is refused with the field and the reason",
        arguments: [
            ("nonsense: 1", "nonsense: is no setting"), ("mtu: 1279", "mtu: \"1279\" is not a number from 1280"),
            ("mtu: x", "mtu: \"x\""), ("lanes: 17", "lanes: \"17\""), ("lanes: [1]", "lanes: is a list"),
            ("listen: nowhere", "listen: \"nowhere\" is not ADDRESS:PORT"), ("listen: example.org:1", "listen:"),
            ("ciphers: [RC4]", "ciphers[0]: \"RC4\""), ("allowInbound: [tcp/10.0.0.1]", "allowInbound[0]:"),
            ("allowInbound: [icmp/10.0.0.1:1]", "allowInbound[0]:"), ("tun: \"a/b\"", "tun:"),
            ("tun: sixteencharacter", "tun:"), ("packets: maybe", "packets: \"maybe\" is not true or false"),
            ("masquerade: true", "masquerade: is no setting of a server"),
            ("servers: [a:1]", "servers[0]: is no setting"),
            ("socket: relative", "socket:"), ("logLevel: loud", "logLevel:"), ("offload: all", "offload:"),
            ("egressListen: \"127.0.0.1:1\"", "egressAuthority: is missing"),
            ("egressKey: x", "egressKey: is for egressListen"),
            ("egressListen: \"127.0.0.1:1\"", "egressSocket: is missing"),
            ("congestionControl: \"../x\"", "congestionControl:"), ("clients: 3", "clients: is a scalar"),
            ("clients: [{name: a, color: red}]", "clients[0].color: is no setting"),
            ("clients: [{name: -}]", "clients[0].name:"),
            ("clients: [{name: a}, {name: a}]", "clients[1].name: \"a\" comes twice"),
            (
                "clients: [{name: a, networks: [10.2.0.0/24]}, {name: b, networks: [10.2.0.0/25]}]",
                "clients[1].networks[0]: 10.2.0.0/25 overlaps"
            ),
            ("clients: [{name: a, networks: [10.9.0.0/24]}]", "clients[0].networks[0]: 10.9.0.0/24 lies in none"),
            ("sharedNetworks: [10.2.0.0/24]", "sharedNetworks[0]: is for nodesKubeconfig"),
            ("nodesKubeconfig: k\nsharedNetworks: [10.9.0.0/24]", "sharedNetworks[0]: 10.9.0.0/24 lies in none"),
            ("nodesKubeconfig: k\nsharedNetworks: [x]", "sharedNetworks[0]: \"x\" is not a network"),
            ("outsideTargets: [example.org]", "outsideTargets[0]: \"example.org\" is not HOST:PORT"),
            ("outsideTargets: [\"10.0.0.1:443\"]", "outsideTargets[0]: \"10.0.0.1:443\" is not HOST:PORT"),
            ("outsideTargets: [\"0x7f.1:443\"]", "outsideTargets[0]: \"0x7f.1:443\" is not HOST:PORT"),
            ("outsideTargets: [\"a.b:0\"]", "outsideTargets[0]:"),
            ("outsideTargets: [\"a.b:1\", \"A.b:1\"]", "outsideTargets[1]: \"A.b:1\" comes twice"),
            ("nodesKubeconfig: k\nclients: [{name: a}]", "nodesKubeconfig: and clients both say"),
            ("lingerSeconds: 601\ndrainSeconds: 3600", "lingerSeconds: \"601\" is not a number from 0 to 600"),
            ("lingerSeconds: 6", "lingerSeconds: 6 is more than drainSeconds, which is 5"),
        ]
    )
    func isRefused(line: String, expected: String) {
        let found = problems(server + line + "\n")
        #expect(found.contains { $0.hasPrefix(expected) }, "\(found)")
    }

    @Test("is refused where networks overlap, or are more than a hello can hold", arguments: [true, false])
    func refusesOverlap(packets: Bool) {
        let server = server + "packets: \(packets)\n"
        let text = server.replacing("10.2.0.0/16", with: "10.2.0.0/16, 10.2.3.0/24")
        #expect(problems(text).contains { $0.contains("10.2.3.0/24 overlaps 10.2.0.0/16") })
        let tunnel = server.replacing("10.2.0.0/16", with: "10.98.0.0/16")
        #expect(problems(tunnel).contains { $0.contains("overlaps the tunnel's own") })
        let many = (0...255).map { "10.3.\($0).0/24" }.joined(separator: ", ")
        #expect(problems(server.replacing("10.2.0.0/16", with: many)).contains { $0.contains("has 257 entries") })
    }

    @Test("names every missing file and every other problem together")
    func reportsTogether() {
        let found = problems("apiVersion: vpn.tendril.dev/v1alpha1\nkind: ServerConfiguration\nmtu: 1\nlanes: 0\n")
        for field in ["ca", "certificate", "key", "gateKey", "addresses", "networks", "mtu", "lanes"] {
            #expect(found.contains { $0.hasPrefix("\(field):") }, "\(field) in \(found)")
        }
    }

    @Test("of another kind or version is refused")
    func refusesOtherKinds() {
        #expect(
            problems("kind: ClientConfiguration\napiVersion: vpn.tendril.dev/v1alpha1\n") == [
                "kind: must be ServerConfiguration"
            ]
        )
        #expect(problems("kind: ServerConfiguration\n").first?.hasPrefix("apiVersion: is missing") == true)
        #expect(problems("- 1\n") == ["configuration file: is a list, not a mapping"])
    }

    @Test("of a client says whose files are missing, and tells a server that is none once")
    func client() {
        let head = "apiVersion: vpn.tendril.dev/v1alpha1\nkind: ClientConfiguration\npackets: false\n"
        let found = problems(head, role: .client)
        #expect(found.contains("ca: is missing: the client would not know whom to trust"), "\(found)")
        #expect(found.contains { $0.hasPrefix("servers: is missing") }, "\(found)")
        #expect(problems(head + "servers: []\n", role: .client).contains { $0.hasPrefix("servers: is missing") })
        let wrong = problems(head, role: .client) { $0.set(.server, ["x:0"]) }.filter { $0.hasPrefix("--server") }
        #expect(wrong == ["--server: \"x:0\" is not HOST:PORT"])
    }

    @Test("needs neither addresses nor networks where no packets are carried")
    func carriesNoPackets() {
        let text = server.split(separator: "\n").filter { !$0.hasPrefix("addr") && !$0.hasPrefix("netw") }.joined(
            separator: "\n"
        )
        #expect(problems(text).count == 2)
        #expect(problems(text + "\npackets: false\n").isEmpty)
    }

    @Test("believes Nodes nothing where no networks are named")
    func needsNetworksForNodes() {
        let text = server.split(separator: "\n").filter { !$0.hasPrefix("netw") }.joined(separator: "\n")
        let found = problems(text + "\npackets: false\nnodesKubeconfig: k\n")
        #expect(found.contains { $0.hasPrefix("networks: is missing: Nodes are believed") }, "\(found)")
    }

    @Test("has a flag for every setting, and both stand in its documentation", arguments: Setting.allCases)
    func hasFlags(setting: Setting) throws {
        #expect(setting.flag.hasPrefix("--") && setting.flag == setting.flag.lowercased())
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
        let page = try String(contentsOf: root.appending(path: "docs/configuration.md"), encoding: .utf8)
        #expect(page.contains("`\(setting.key)`") && page.contains("`\(setting.flag)`"))
    }
}
