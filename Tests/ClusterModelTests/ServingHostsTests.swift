import ClusterModel
import TendrilCore
import Testing

@Suite("Serving certificates of kubelets")
struct ServingHostsTests {
    /// What the kubelet of `w1` has written as its Node's hosts and addresses, and asks for.
    private func verdict(_ hosts: Set<String>, _ addresses: [String], machine: String = "w1") throws -> Verdict {
        let addresses = try addresses.map { try #require(IPAddress($0)) }
        var facts = ApprovalCase(
            cluster: "c",
            signer: Signer.kubeletServing.rawValue,
            usages: ["digital signature", "server auth"],
            uid: "uid",
            requestor: "system:node:\(machine)",
            requestorGroups: ["system:nodes"],
            request: RequestFacts(
                user: "system:node:\(machine)",
                groups: ["system:nodes"],
                hosts: hosts.sorted(),
                addresses: addresses,
                keyDigest: "key"
            ),
            now: 1000
        )
        facts.record = MachineRecord(machine: machine, pool: "p", keyDigest: "key", request: "uid", expiry: 2000)
        facts.node = .init(hosts: hosts, addresses: Set(addresses))
        facts.foreignNodes = Set(["w1", "w2", "w1.two.example", "w"]).subtracting([machine])
        return ApprovalRules.judge(facts)
    }

    /// Why it is refused; `nil` where it is not.
    private func denial(_ hosts: Set<String>, _ addresses: [String], machine: String = "w1") throws -> Denial? {
        guard case .deny(let denial) = try verdict(hosts, addresses, machine: machine) else { return nil }
        return denial
    }

    @Test("name the machine, and what is below it")
    func own() throws {
        for hosts in [["w1"], ["w1.example.com"], ["w1", "w1.internal"], []] as [Set<String>] {
            #expect(try verdict(hosts, ["10.250.0.11", "2001:db8::11"]) == .approve, "\(hosts)")
        }
        // That another machine's name is above it makes it nobody else's.
        #expect(try verdict(["w1.two.example", "w1.two.example.x"], [], machine: "w1.two.example") == .approve)
    }

    @Test(
        "name nothing else, though the Node says so: that is what the kubelet wrote",
        arguments: [
            "w2", "kubernetes.default.svc", "kubernetes", "w10", "w1x.example.com", "example.w1", "w", "localhost",
            "w1.two.example", "w1.two.example.x", "w1.default.svc", "w1.default.svc.cluster.local", "w1.localhost",
            "w1.", "W1", "w1.*", "*.w1", "w1.a b", "",
        ]
    )
    func foreign(_ host: String) throws {
        let denial = try #require(try denial(["w1", host], ["10.250.0.11"]), "\(host)")
        #expect(denial.reason == "ForeignHost" && denial.isAlarm)
    }

    @Test("a machine's own name is refused where it is the API server's", arguments: ["kubernetes", "a.default.svc"])
    func services(_ machine: String) throws {
        #expect(try denial([machine], [], machine: machine)?.reason == "ForeignHost")
        #expect(try denial(["\(machine).default"], [], machine: machine)?.reason == "ForeignHost")
    }

    @Test(
        "an address is one that packets are routed to, in one notation",
        arguments: ["::ffff:10.250.0.12", "::10.250.0.12", "127.0.0.1", "::1", "0.0.0.0", "169.254.1.1", "fe80::1"]
    )
    func unroutable(_ address: String) throws {
        let denial = try #require(try denial(["w1"], ["10.250.0.11", address]), "\(address)")
        #expect(denial.reason == "UnroutableAddress" && denial.isAlarm)
    }
}
