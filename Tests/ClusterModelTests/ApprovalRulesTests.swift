import ClusterModel
import TendrilCore
import TestSupport
import Testing

@Suite("Approval rules")
struct ApprovalRulesTests {
    @Test("A machine that shows its token gets the agent's certificate, and the pool comes from the token")
    func firstCertificate() {
        let verdict = ApprovalRules.judge(Cases.agent())
        #expect(verdict == .issue(MachineIdentity(cluster: "c", machine: "w1", pool: "worker"), .agent))
    }

    @Test("What is not exactly right is denied", arguments: Cases.wrongAgents)
    func denials(wrong: Cases.Wrong) {
        let verdict = ApprovalRules.judge(wrong.facts)
        guard case .deny(let denial) = verdict else {
            Issue.record("\(wrong.name): \(verdict)")
            return
        }
        #expect(denial.reason == wrong.reason, "\(wrong.name)")
    }

    @Test("A second claimant is an alarm, the same request again is not")
    func secondClaimant() {
        var facts = Cases.agent()
        facts.record = MachineRecord(machine: "w1", pool: "worker", keyDigest: "other", request: "uid-0", expiry: 2000)
        guard case .deny(let denial) = ApprovalRules.judge(facts) else {
            Issue.record("approved")
            return
        }
        #expect(denial.reason == "NameTaken" && denial.isAlarm)
        facts.record = MachineRecord(machine: "w1", pool: "worker", keyDigest: "key", request: "uid-1", expiry: 2000)
        #expect(
            ApprovalRules.judge(facts) == .issue(MachineIdentity(cluster: "c", machine: "w1", pool: "worker"), .agent)
        )
    }

    @Test("A machine is gone when it has no Node and nobody can hold its certificate any more")
    func goneMachines() {
        let record = MachineRecord(machine: "w1", pool: "worker", keyDigest: "key", request: "uid", expiry: 2000)
        #expect(record.isGone(at: 2000, hasNode: false))
        #expect(!record.isGone(at: 1999, hasNode: false))
        #expect(!record.isGone(at: 3000, hasNode: true))
    }

    @Test("A machine that its provider does not know has ended, unless it has a Node or may have come just now")
    func endedMachines() {
        let issued: UInt64 = 1_000_000
        let expiry = issued + ApprovalRules.agentLifetime
        let record = MachineRecord(machine: "w1", pool: "worker", keyDigest: "key", request: "uid", expiry: expiry)
        #expect(record.hasEnded(at: issued + 600, hasNode: false) && record.hasEnded(at: expiry, hasNode: false))
        #expect(!record.hasEnded(at: issued + 599, hasNode: false) && !record.hasEnded(at: 0, hasNode: false))
        #expect(!record.hasEnded(at: expiry, hasNode: true))
    }

    @Test("Signers that are not ours are left alone")
    func foreignSigner() {
        var facts = Cases.agent()
        facts.signer = "kubernetes.io/kube-apiserver-client"
        #expect(ApprovalRules.judge(facts) == .ignore)
    }

    @Test("A hundred thousand generated requests are judged as an independent oracle judges them")
    func oracle() {
        var generator = SeededGenerator(seed: 20_261_123)
        var approved = 0
        for round in 0..<100_000 {
            let facts = Cases.random(using: &generator)
            let verdict = ApprovalRules.judge(facts)
            let isGranted =
                switch verdict {
                case .approve, .issue: true
                case .deny, .ignore: false
                }
            if isGranted != Oracle.grants(facts) { Issue.record("round \(round): \(verdict) for \(facts)") }
            approved += isGranted ? 1 : 0
        }
        // A run in which hardly anything is right, or wrong, shows nothing.
        #expect((2_000...98_000).contains(approved), "\(approved) granted")
    }
}

/// Says which requests are granted by building the only ones that are, instead of looking for what is wrong.
private enum Oracle {
    static func grants(_ facts: ApprovalCase) -> Bool {
        guard facts.request.hasGoodKey, facts.request.otherExtensions == [], facts.request.otherNames == 0 else {
            return false
        }
        switch facts.signer {
        case "tendril.dev/agent": return agents(facts).contains { matches(facts, $0) }
        case "tendril.dev/vpn-client": return tunnels(facts).contains { matches(facts, $0) }
        case "kubernetes.io/kube-apiserver-client-kubelet": return kubelets(facts).contains { matches(facts, $0) }
        case "kubernetes.io/kubelet-serving": return servings(facts).contains { matches(facts, $0) }
        default: return false
        }
    }

    private struct Wanted {
        var requestors: Set<String>
        var usages: [[String]]
        var user: String
        var groups: [String] = []
        var hosts: Set<String> = []
        var addresses: Set<IPAddress> = []
        var uris: [String] = []
    }

    private static let client = ["client auth", "digital signature"]
    private static let oldClient = ["client auth", "digital signature", "key encipherment"]

    private static func matches(_ facts: ApprovalCase, _ wanted: Wanted) -> Bool {
        let request = facts.request
        return wanted.requestors.contains(facts.requestor) && wanted.usages.contains(facts.usages.sorted())
            && request.user == wanted.user && request.groups == wanted.groups
            && request.hosts.sorted() == wanted.hosts.sorted()
            && request.addresses.map(\.description).sorted() == wanted.addresses.map(\.description).sorted()
            && request.uris == wanted.uris
    }

    private static func agents(_ facts: ApprovalCase) -> [Wanted] {
        var found: [Wanted] = []
        for machine in Cases.machines {
            func wanted(_ requestor: String, _ pool: String) -> Wanted {
                Wanted(
                    requestors: [requestor],
                    usages: [client],
                    user: "tendril:agent:\(machine)",
                    groups: ["tendril:agents", "tendril:agents:\(pool)"],
                    uris: ["spiffe://c/agent/\(machine)"]
                )
            }
            if let record = facts.record { found.append(wanted("tendril:agent:\(machine)", record.pool)) }
            guard let token = facts.token, (token.expiry ?? .max) > facts.now, token.machine ?? machine == machine,
                machine.hasPrefix(token.namePrefix)
            else { continue }
            let isResumed = facts.record?.request == facts.uid
            let isFree = facts.node == nil && (facts.record.map { $0.expiry <= facts.now } ?? true)
            if isResumed || isFree || token.allowsRejoin {
                found.append(wanted("system:bootstrap:\(token.id)", token.pool))
            }
        }
        return found
    }

    private static func tunnels(_ facts: ApprovalCase) -> [Wanted] {
        guard let record = facts.record else { return [] }
        return [
            Wanted(
                requestors: ["tendril:agent:\(record.machine)"],
                usages: [client],
                user: record.machine,
                uris: ["spiffe://c/vpn/client/\(record.machine)"]
            )
        ]
    }

    private static func kubelets(_ facts: ApprovalCase) -> [Wanted] {
        guard facts.record != nil else { return [] }
        return Cases.machines.map { machine in
            var requestors: Set<String> = ["tendril:agent:\(machine)"]
            if facts.requestorGroups.contains("system:nodes") { requestors.insert("system:node:\(machine)") }
            return Wanted(
                requestors: requestors,
                usages: [client, oldClient],
                user: "system:node:\(machine)",
                groups: ["system:nodes"]
            )
        }
    }

    private static func servings(_ facts: ApprovalCase) -> [Wanted] {
        guard facts.record != nil, let node = facts.node, facts.requestorGroups.contains("system:nodes"),
            !(node.hosts.isEmpty && node.addresses.isEmpty),
            facts.foreignAddresses.intersection(node.addresses).isEmpty,
            !node.addresses.contains(where: { $0.description.hasPrefix("::ffff:") }),
            facts.nodeNetworks.isEmpty
                || node.addresses.allSatisfy({ a in facts.nodeNetworks.contains { $0.contains(a) } })
        else { return [] }
        return Cases.machines.filter { machine in
            node.hosts.allSatisfy { owner(of: $0, among: facts.foreignNodes.union([machine])) == machine }
        }.map { machine in
            Wanted(
                requestors: ["system:node:\(machine)"],
                usages: [
                    ["digital signature", "server auth"], ["digital signature", "key encipherment", "server auth"],
                ],
                user: "system:node:\(machine)",
                groups: ["system:nodes"],
                hosts: node.hosts,
                addresses: node.addresses
            )
        }
    }

    /// The Node with most of the labels that a host begins with.
    private static func owner(of host: String, among nodes: Set<String>) -> String? {
        let labels = host.split(separator: ".")
        let above = nodes.filter { labels.starts(with: $0.split(separator: ".")) }
        return above.max { $0.split(separator: ".").count < $1.split(separator: ".").count }
    }
}

/// Requests to judge.
enum Cases {
    struct Wrong: Sendable, CustomStringConvertible {
        let name: String
        let reason: String
        let facts: ApprovalCase

        var description: String { name }
    }

    static let machines = ["w1", "w2", "worker-a"]

    static func agent() -> ApprovalCase {
        var facts = ApprovalCase(
            cluster: "c",
            signer: "tendril.dev/agent",
            usages: ["client auth", "digital signature"],
            uid: "uid-1",
            requestor: "system:bootstrap:abcdef",
            requestorGroups: ["system:bootstrappers", "system:bootstrappers:tendril"],
            request: RequestFacts(
                user: "tendril:agent:w1",
                groups: ["tendril:agents", "tendril:agents:worker"],
                uris: ["spiffe://c/agent/w1"],
                keyDigest: "key"
            ),
            now: 1000
        )
        facts.token = TokenGrant(id: "abcdef", pool: "worker", machine: "w1", expiry: 2000)
        return facts
    }

    static let wrongAgents: [Wrong] = {
        func wrong(_ name: String, _ reason: String, _ change: (inout ApprovalCase) -> Void) -> Wrong {
            var facts = agent()
            change(&facts)
            return Wrong(name: name, reason: reason, facts: facts)
        }
        return [
            wrong("no token", "UnknownToken") { $0.token = nil },
            wrong("expired token", "TokenExpired") {
                $0.token = TokenGrant(id: "abcdef", pool: "worker", machine: "w1", expiry: 1000)
            },
            wrong("token of another machine", "ForeignToken") {
                $0.token = TokenGrant(id: "abcdef", pool: "worker", machine: "w2")
            },
            wrong("name of another pool", "ForeignName") {
                $0.token = TokenGrant(id: "abcdef", pool: "worker", namePrefix: "other-")
            },
            wrong("pool of another token", "WrongGroups") {
                $0.token = TokenGrant(id: "abcdef", pool: "other", machine: "w1")
            },
            wrong("a Node is there", "NodeExists") { $0.node = .init(hosts: ["w1"], addresses: []) },
            wrong("masters", "WrongGroups") { $0.request.groups = ["system:masters"] },
            wrong("masters besides", "WrongGroups") { $0.request.groups.append("system:masters") },
            wrong("upper case", "WrongSubject") { $0.request.user = "tendril:agent:W1" },
            wrong("trailing dot", "WrongSubject") { $0.request.user = "tendril:agent:w1." },
            wrong("two common names", "WrongSubject") { $0.request.user = nil },
            wrong("Cyrillic", "WrongSubject") { $0.request.user = "tendril:agent:w\u{0456}" },
            wrong("a host name", "WrongNames") { $0.request.hosts = ["w1"] },
            wrong("another's URI", "WrongNames") { $0.request.uris = ["spiffe://c/agent/w2"] },
            wrong("another cluster's URI", "WrongNames") { $0.request.uris = ["spiffe://d/agent/w1"] },
            wrong("no URI", "WrongNames") { $0.request.uris = [] },
            wrong("an e-mail address", "ForbiddenName") { $0.request.otherNames = 1 },
            wrong("a CA bit", "ForbiddenExtension") { $0.request.otherExtensions = ["basicConstraints"] },
            wrong("RSA", "WeakKey") { $0.request.hasGoodKey = false },
            wrong("server usage", "WrongUsages") { $0.usages.append("server auth") },
            wrong("no usages", "WrongUsages") { $0.usages = [] },
            wrong("a usage twice", "WrongUsages") { $0.usages.append("client auth") },
            wrong("a kubelet", "ForeignRequestor") { $0.requestor = "system:node:w1" },
            wrong("another agent", "ForeignRequestor") { $0.requestor = "tendril:agent:w2" },
            wrong("renewal of nothing", "UnknownMachine") { $0.requestor = "tendril:agent:w1" },
        ]
    }()

    /// A case made of right and wrong parts, mostly right ones.
    static func random(using generator: inout SeededGenerator) -> ApprovalCase {
        func pick<Element>(_ items: [Element]) -> Element { items[Int.random(in: 0..<items.count, using: &generator)] }
        func mostly(_ right: @autoclosure () -> Bool = true) -> Bool { Int.random(in: 0..<12, using: &generator) > 0 }
        let machine = pick(machines)
        let other = mostly() ? machine : pick(machines)
        let pool = pick(["worker", "worker", "other"])
        let signer = pick(Signer.allCases)
        let network = IPPrefix("10.250.0.0/24")
        let texts = ["10.250.0.11", "10.250.0.12", "192.168.1.1", "::ffff:10.250.0.12"]
        let addresses = texts.compactMap { IPAddress($0) }
        let own = mostly() ? addresses[0] : pick(addresses)
        let host = mostly() ? machine : pick(["\(machine).internal", "\(machine).w2", "kubernetes.default.svc", "w2"])
        var request = RequestFacts(user: nil, keyDigest: "key")
        var requestor = mostly() ? "system:node:\(other)" : "tendril:agent:\(other)"
        var usages = signer.usages.sorted()
        switch signer {
        case .agent:
            request.user = "tendril:agent:\(machine)"
            request.groups = ["tendril:agents", "tendril:agents:\(mostly() ? pool : "other")"]
            request.uris = ["spiffe://c/agent/\(other)"]
            requestor = pick(["system:bootstrap:abcdef", "system:bootstrap:abcdef", "tendril:agent:\(other)"])
        case .tunnelClient:
            request.user = machine
            request.uris = ["spiffe://c/vpn/client/\(other)"]
            requestor = "tendril:agent:\(mostly() ? machine : other)"
        case .kubeletClient:
            (request.user, request.groups) = ("system:node:\(machine)", ["system:nodes"])
            requestor = pick(["system:node:\(other)", "tendril:agent:\(other)"])
            if !mostly() { usages.append("key encipherment") }
        case .kubeletServing:
            (request.user, request.groups) = ("system:node:\(machine)", ["system:nodes"])
            (request.hosts, request.addresses) = ([host], [own])
            usages.append("key encipherment")
        }
        if !mostly() { request.groups.append(pick(["system:masters", "system:nodes"])) }
        if !mostly() { request.hosts.append(pick(["kubernetes", machine])) }
        if !mostly() { request.addresses.append(pick(addresses)) }
        if !mostly() { request.uris.append("spiffe://c/vpn/server/a") }
        if !mostly() { request.user = pick([nil, "admin", "system:node:\(other)", "tendril:agent:\(other)"]) }
        if !mostly() { usages = pick([[], ["client auth"], usages + ["code signing"], usages + usages]) }
        if !mostly() { request.otherNames = 1 }
        if !mostly() { request.otherExtensions = ["keyUsage"] }
        if !mostly() { request.hasGoodKey = false }
        if !mostly() { requestor = pick(["admin", "system:bootstrap:000000", "tendril:agent:w2", "system:node:w2"]) }
        var facts = ApprovalCase(
            cluster: "c",
            signer: signer.rawValue,
            usages: usages,
            uid: "uid-1",
            requestor: requestor,
            requestorGroups: mostly() ? ["system:nodes"] : ["system:authenticated"],
            request: request,
            now: 1000
        )
        if mostly() {
            facts.token = TokenGrant(
                id: "abcdef",
                pool: pool,
                machine: pick([nil, machine, machine, other]),
                namePrefix: pick(["", "", "w", "worker-"]),
                expiry: pick([nil, 2000, 2000, 1000]),
                allowsRejoin: !mostly()
            )
        }
        let hasRecord = signer == .agent ? !mostly() || requestor.hasPrefix("tendril") : mostly()
        if hasRecord {
            facts.record = MachineRecord(
                machine: machine,
                pool: pool,
                keyDigest: "key",
                request: pick(["uid-1", "uid-2"]),
                expiry: pick([500, 2000])
            )
        }
        let hasNode = signer == .agent ? !mostly() : mostly()
        if hasNode {
            let claimed = mostly() ? host : pick([machine, "w2"])
            facts.node = .init(hosts: [claimed], addresses: [mostly() ? own : pick(addresses)])
        }
        facts.nodeNetworks = mostly() ? [network].compactMap { $0 } : []
        facts.foreignAddresses = mostly() ? [] : [pick(addresses)]
        facts.foreignNodes = Set(machines + (mostly() ? [] : ["\(machine).internal"])).subtracting([machine])
        return facts
    }
}
