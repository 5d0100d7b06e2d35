import ClusterModel
import ShootPlan
import ShootSamples
import TendrilCore
import Testing

@Suite("What a change would do")
struct ShootPreviewTests {
    private func lines(from base: (inout Shoot) -> Void = { _ in }, _ change: (inout Shoot) -> Void) throws
        -> [String]
    {
        let old = try Samples.shoot(base)
        var new = old
        change(&new)
        return try ShootPreview(from: old, to: new).lines
    }

    @Test("nothing, where nothing changed")
    func nothing() throws { #expect(try lines { _ in } == ["nothing would change"]) }

    @Test("a new shoot is made as a whole, but for one that sleeps")
    func new() throws {
        let lines = try ShootPreview(from: nil, to: try Samples.shoot()).lines
        #expect(
            lines.count == 2 && lines[0].hasPrefix("control-plane: is made") && lines[1].contains("1 machine starts")
        )
        let asleep = try Samples.shoot { $0.spec.hibernation.enabled = true }
        let told = try ShootPreview(from: nil, to: asleep).lines
        #expect(told == ["control-plane: is made without pods, for it sleeps (the shoot is new)"])
    }

    /// A change, and how each line about it begins.
    struct Case: Sendable {
        let base: @Sendable (inout Shoot) -> Void
        let change: @Sendable (inout Shoot) -> Void
        let lines: [String]

        init(
            from base: @escaping @Sendable (inout Shoot) -> Void = { _ in },
            _ change: @escaping @Sendable (inout Shoot) -> Void,
            _ lines: [String]
        ) {
            (self.base, self.change, self.lines) = (base, change, lines)
        }
    }

    private static let server =
        "control-plane: kube-apiserver: new pods come before old ones end; the API stays, `exec` and `logs -f` end"
    private static let controllers =
        "control-plane: kube-controller-manager, kube-scheduler: old pods end before new ones come; nobody does"
    private static let proxy = "kube-system: kube-proxy: new pods come, one node after the other; Services go on"
    private static let kubelets = "pool worker: its kubelets restart within the budget, pods go on"
    private static let links = "pool worker: tendril-vpn restarts on its nodes within the budget; pods go on"

    static let cases: [Case] = [
        Case({ $0.spec.workers[0].labels = ["a": "b"] }, ["\(kubelets) (labels)"]),
        // Add-ons have to run somewhere.
        Case(
            { $0.spec.workers[0].taints = [.init(key: "k", value: "v", effect: "NoSchedule")] },
            [
                "kube-system: coredns, metrics-server: new pods come before old ones end (spec.workers)",
                "\(kubelets) (taints)",
            ]
        ),
        Case(
            { $0.spec.workers[0].taints = [.init(key: "k", value: "v", effect: "NoExecute")] },
            [
                "kube-system: coredns, metrics-server: new pods come before old ones end (spec.workers)",
                "\(kubelets) (taints)", "pool worker: pods that do not tolerate k are evicted",
            ]
        ),
        Case(
            { $0.spec.workers[0].machineType = "m" },
            ["pool worker: its machines are replaced, one at a time, with one fewer meanwhile; their pods move"]
        ),
        Case(
            from: { $0.spec.workers[0].maximum = 2 },
            { $0.spec.workers[0].machineType = "m" },
            ["pool worker: its machines are replaced, one at a time; their pods move"]
        ),
        Case(
            { $0.spec.workers[0].image = MachineImage.fallback },
            ["pool worker: nothing restarts, and no machine comes or goes (image)"]
        ),
        // From two machines on there are two of the cluster's DNS.
        Case(
            { $0.spec.workers[0].maximum = 4 },
            [
                "kube-system: coredns: new pods come before old ones end (spec.workers)",
                "kube-system: coredns: 2 pods run (spec.workers)", "pool worker: its bound moves to 4",
            ]
        ),
        Case(
            from: { $0.spec.workers[0].maximum = 3 },
            { $0.spec.workers[0].maximum = 4 },
            ["pool worker: its bound moves to 4"]
        ),
        Case({ $0.spec.workers[0].minimum = 0 }, ["pool worker: the scaling group ends up to 1 machine of"]),
        Case({ $0.spec.workers = [] }, ["pool worker: its machines end, and nothing is drained before"]),
        Case({ $0.spec.vpn.lanes = 2 }, ["\(server) (spec.vpn.lanes)", links]),
        Case({ $0.spec.controlPlane.audit = .metadata }, ["\(server) (spec.controlPlane.audit)"]),
        Case({ $0.spec.controlPlane.featureGates = ["JobManagedBy": true] }, [server, controllers]),
        Case(
            { $0.spec.controlPlane.admissionPlugins = .init(enable: ["AlwaysPullImages"]) },
            ["\(server) (spec.controlPlane.admissionPlugins)"]
        ),
        Case({ $0.spec.workers[0].kubelet = .init(featureGates: ["MemoryQoS": true]) }, ["\(kubelets) (kubelet)"]),
        Case({ $0.spec.addons.dns = false }, ["kube-system: coredns: goes (spec.addons.dns)"]),
        Case({ $0.spec.addons.dashboard = true }, ["kube-system: kubernetes-dashboard: comes"]),
        Case(
            {
                $0.spec.controlPlane.audit = .metadata
                $0.spec.vpn.lanes = 2
            },
            [
                "\(server) (spec.controlPlane.audit, spec.vpn.lanes)",
                "\(links), `exec` and `logs -f` on them end (spec.vpn.lanes)",
            ]
        ),
    ]

    @Test("what restarts, what is made anew, what ends", arguments: cases)
    func consequences(_ example: Case) throws {
        expect(try lines(from: example.base, example.change), example.lines)
    }

    private func expect(_ lines: [String], _ starts: [String]) {
        #expect(lines.count == starts.count, "\(lines)")
        for (line, start) in zip(lines, starts) { #expect(line.hasPrefix(start), "\(line)") }
    }

    @Test("another number of replicas rolls everything but etcd, and with one nobody is there meanwhile")
    func replicas() throws {
        let all = "kube-apiserver, kube-controller-manager, kube-scheduler, tendril-approver"
        let others = "kube-controller-manager, kube-scheduler, tendril-approver"
        expect(
            try lines(from: { $0.spec.controlPlane.replicas = 1 }) { $0.spec.controlPlane.replicas = 2 },
            [
                Self.server, "control-plane: \(others): new pods come before old ones end (spec.controlPlane.replicas)",
                "control-plane: \(all): 2 pods run (spec.controlPlane.replicas)",
            ]
        )
        expect(
            try lines(from: { $0.spec.controlPlane.replicas = 2 }) { $0.spec.controlPlane.replicas = 1 },
            [
                Self.server, "control-plane: \(others): old pods end before new ones come; nobody does their work",
                "control-plane: \(all): 1 pod runs (spec.controlPlane.replicas)",
            ]
        )
        let three = try lines(from: { $0.spec.controlPlane.replicas = 2 }) { $0.spec.controlPlane.replicas = 3 }
        #expect(three.count == 2 && three.allSatisfy { $0.hasPrefix("control-plane: kube-apiserver") }, "\(three)")
    }

    @Test("another release rolls what has its version, and what it brings others of; kubelets are their image's")
    func releases() throws {
        func lines(_ old: String, _ new: String) throws -> [String] {
            try self.lines(from: { $0.spec.kubernetes.version = old }) { $0.spec.kubernetes.version = new }
        }
        let kubelets = "pool worker: its kubelets stay those of their image"
        expect(
            try lines("1.20.2", "1.20.3"),
            [Self.server, Self.controllers, Self.proxy, "\(kubelets) (spec.kubernetes.version)"]
        )
        expect(
            try lines("1.20.2", "1.21.0"),
            [Self.server, Self.controllers, Self.proxy, "\(kubelets); the change is done once that brings 1.21:"]
        )
        // What a kubelet is told changes as well.
        expect(
            try lines("1.26.0", "1.27.0"),
            [
                Self.server, Self.controllers, Self.proxy,
                "kube-system: coredns, metrics-server: new pods come before old ones end (spec.kubernetes.version)",
                "\(Self.kubelets) (spec.kubernetes.version)", "\(kubelets); the change",
            ]
        )
        let etcd = "control-plane: etcd: old pods end before new ones come; the API is away for some seconds"
        for minor in 20..<ShootRules.newestMinor {
            let first = try lines("1.\(minor).0", "1.\(minor + 1).0").first ?? ""
            #expect(first.hasPrefix(etcd) == [21, 33, 35].contains(minor), "\(minor): \(first)")
        }
    }

    @Test("machines of another class leave all else alone; those that say none take it")
    func replacedMachines() throws {
        func change(_ shoot: inout Shoot) {
            shoot.spec.kubernetes.version = "1.20.3"
            shoot.spec.workers[0].image = "other"
            shoot.spec.workers[0].labels = ["a": "b"]
        }
        let pools = try lines(change).filter { $0.hasPrefix("pool") }
        expect(pools, ["pool worker: its machines are replaced, one at a time, with one fewer meanwhile"])
        #expect(pools.allSatisfy { $0.hasSuffix("(image)") })
    }

    @Test("nothing of what sleeps restarts, and what wakes up starts as it is wanted")
    func sleep() throws {
        func change(_ shoot: inout Shoot) {
            shoot.spec.kubernetes.version = "1.21.0"
            shoot.spec.workers[0].image = "other"
            shoot.spec.workers[0].minimum = 0
        }
        func asleep(_ shoot: inout Shoot) { shoot.spec.hibernation.enabled = true }
        func changedAsleep(_ shoot: inout Shoot) {
            change(&shoot)
            asleep(&shoot)
        }
        func changedAwake(_ shoot: inout Shoot) {
            change(&shoot)
            shoot.spec.hibernation.enabled = false
        }
        let later = "shoot: pods and machines start so when it wakes up (spec.kubernetes.version, spec.workers)"
        let ends = ["control-plane: its pods end; the API is away", "every pool: its machines end, and nothing is"]
        let starts = ["control-plane: its pods start", "pool worker: 0 machines start"]
        #expect(try lines(from: asleep, change) == [later])
        expect(try lines(asleep), ends)
        expect(try lines(changedAsleep), ends + [later])
        expect(
            try lines(from: asleep, changedAwake),
            starts + ["shoot: pods and machines start so (spec.kubernetes.version)"]
        )
    }

    @Test(
        "a change of which nothing follows is told all the same",
        arguments: [
            Case({ $0.spec.controlPlane.audit = .nothing }, ["spec.controlPlane.audit"]),
            Case({ $0.spec.controlPlane.featureGates = [:] }, ["spec.controlPlane.featureGates"]),
            Case(
                { $0.spec.controlPlane.admissionPlugins = .init(enable: ["NodeRestriction"]) },
                ["spec.controlPlane.admissionPlugins"]
            ),
            Case(
                { $0.spec.maintenance = .init(timeWindow: .init(begin: "22:00", end: "02:00")) },
                ["spec.maintenance"]
            ),
            Case({ $0.spec.seedName = "here" }, ["spec.seedName"]),
        ]
    )
    func withoutConsequence(_ example: Case) throws {
        let fields = example.lines.joined(separator: ", ")
        #expect(try lines(example.change) == ["shoot: nothing restarts, and no machine comes or goes (\(fields))"])
    }

    @Test("what is refused is said first")
    func refusals() throws {
        let refused = "shoot: is refused where what is stored was accepted once: "
        let pods = try lines { $0.spec.networking.pods = "10.64.0.0/11" }
        #expect(pods.first == "\(refused)cannot be changed from 100.96.0.0/11 (spec.networking.pods)")
        let older = try lines { $0.spec.kubernetes.version = "1.20.1" }
        #expect(older.first == "\(refused)1.20.1 is older than 1.20.2, which runs (spec.kubernetes.version)")
        let zones = try lines(from: Self.atAWS) {
            $0.spec.provider.infrastructure = ["zones": ["b"], "credentials": "secret"]
        }
        #expect(zones.first?.hasPrefix("\(refused)zones can be added at the end") == true, "\(zones)")
        #expect(zones.allSatisfy { $0.contains("spec.provider.infrastructure") || $0.hasPrefix("terraform: 0 to add") })
    }

    @Test("a notice says where something else may run than what is compared with, and where nothing is done")
    func notice() throws {
        func preview(_ change: (inout Shoot) -> Void) throws -> ShootPreview {
            var old = try Samples.shoot()
            (old.metadata.generation, old.status) = (2, ShootStatus())
            old.status?.observedGeneration = 2
            change(&old)
            return try ShootPreview(from: old, to: try Samples.shoot())
        }
        let accepted = try preview { _ in }
        #expect(accepted.notice == nil)
        #expect(try CanonicalJSON.value(accepted) == ["consequences": []])
        let open = try preview { $0.metadata.generation = 3 }
        #expect(open.notice?.hasPrefix("what is stored is not in force yet") == true)
        #expect(try CanonicalJSON.value(open)["notice"]?.text == open.notice)
        let paused = try preview { $0.metadata.annotations = [ShootAnnotation.pause: "true"] }
        #expect(paused.notice?.hasPrefix("shoot demo/one is paused") == true)
        #expect(try ShootPreview(from: nil, to: try Samples.shoot()).notice == nil)
    }

    @Test("an identity provider rolls kube-apiserver, and makes links anew where it is somewhere else")
    func identityProvider() throws {
        func lines(_ url: String?, _ claim: String = "sub") throws -> [String] {
            func provide(_ shoot: inout Shoot, _ url: String?, _ claim: String) {
                shoot.spec.kubernetes.version = "1.34.0"
                shoot.spec.controlPlane.oidc = url.map {
                    Shoot.OIDC(issuerURL: $0, clientID: "a", usernameClaim: claim)
                }
            }
            return try self.lines(from: { provide(&$0, "https://login.example.org/a", "sub") }) {
                provide(&$0, url, claim)
            }
        }
        let server = "\(Self.server) (spec.controlPlane.oidc)"
        #expect(try lines("https://login.example.org/a") == ["nothing would change"])
        #expect(try lines("https://login.example.org/b") == [server])
        #expect(try lines("https://login.example.org/a", "email") == [server])
        for url in ["https://other.example.org/a", nil] {
            let found = try lines(url)
            #expect(found.count == 2 && found.first == server)
            #expect(found.last?.hasPrefix(Self.links) == true, "\(found)")
        }
    }

    @Test("which machines it happens to, where they are known; those that do not say their class stay")
    func names() throws {
        func node(_ name: String, _ pool: String, class kind: String? = "old") throws -> Node {
            let notes: JSONValue = kind.map { ["tendril.dev/machine-class": .string($0)] } ?? [:]
            let metadata: JSONValue = [
                "name": .string(name), "labels": ["tendril.dev/pool": .string(pool)], "annotations": notes,
            ]
            return try (["metadata": metadata] as JSONValue).decoded(as: Node.self)
        }
        let nodes = [
            try node("w2", "worker"), try node("w1", "worker"), try node("x1", "worker", class: nil),
            try node("o1", "other"),
        ]
        let coming = NodeBootstrap(name: "w3", pool: "worker")
        func names(_ change: (inout Shoot) -> Void) throws -> [[String]?] {
            let machines = ShootPreview.Machines(nodes, [coming, NodeBootstrap(name: "w1", pool: "worker")])
            let (old, new) = (try Samples.shoot(), try Samples.shoot(change))
            let preview = try ShootPreview(from: old, to: new, machines: machines)
            return preview.consequences.map(\.nodes)
        }
        #expect(try names { $0.spec.workers[0].labels = ["a": "b"] } == [["w1", "w2", "w3", "x1"]])
        #expect(try names { $0.spec.workers[0].machineType = "m" } == [["w1", "w2", "w3"]])
        #expect(try names { $0.spec.workers = [] } == [["w1", "w2", "w3", "x1"]])
        #expect(try names { $0.spec.hibernation.enabled = true } == [nil, ["w1", "w2", "w3", "x1"]])
        #expect(try names { $0.spec.kubernetes.version = "1.21.0" } == [nil, nil, nil, ["w1", "w2", "w3", "x1"]])
        #expect(try names { $0.spec.workers[0].maximum = 4 } == [nil, nil, nil])
        let both = try names {
            $0.spec.workers[0].machineType = "m"
            $0.spec.workers[0].labels = ["a": "b"]
        }
        #expect(both == [["w1", "w2", "w3"], ["x1"]])
        #expect(try names { $0.spec.workers[0].minimum = 0 } == [["w1", "w2", "w3", "x1"]])
    }

    @Test("a line names some of them, JSON all; it says nothing of what is not known")
    func namesInText() throws {
        let many = (100..<150).map { NodeBootstrap(name: "w\($0)", pool: "worker") }
        let (old, new) = (try Samples.shoot(), try Samples.shoot { $0.spec.workers[0].labels = ["a": "b"] })
        let preview = try ShootPreview(from: old, to: new, machines: .init([], many))
        #expect(preview.lines.count == 2 && preview.lines[1].hasPrefix("  w100, w101, "))
        #expect(preview.lines[1].hasSuffix("w119 and 30 more"))
        let document = try CanonicalJSON.value(preview)
        #expect(document["consequences"]?.items.first?["nodes"]?.items.count == 50)
        let unknown = try CanonicalJSON.value(try ShootPreview(from: old, to: new))
        #expect(unknown["consequences"]?.items.first?["nodes"] == nil && unknown["consequences"]?.items.count == 1)
    }

    private static func atAWS(_ shoot: inout Shoot) {
        shoot.spec.region = "eu-central-1"
        shoot.spec.provider.type = .aws
        shoot.spec.provider.infrastructure = ["zones": ["a", "b"], "credentials": "secret"]
    }

    private func terraform(
        from base: (inout Shoot) -> Void = ShootPreviewTests.atAWS,
        _ change: (inout Shoot) -> Void
    ) throws -> TerraformPreview {
        let old = try Samples.shoot(base)
        var new = old
        change(&new)
        return TerraformPreview(from: old, to: new)
    }

    @Test("Terraform's part: which resources come, change and go")
    func resources() throws {
        #expect(try terraform { _ in }.actions.isEmpty)
        let group = "aws_autoscaling_group.pool[\"worker\"]"
        let template = "aws_launch_template.pool[\"worker\"]"
        #expect(try terraform { $0.spec.workers[0].maximum = 5 }.actions == [group: .change])
        #expect(try terraform { $0.spec.workers[0].machineType = "m" }.actions == [group: .change, template: .change])
        #expect(try terraform { $0.spec.hibernation.enabled = true }.actions == [group: .destroy, template: .destroy])
        let more = try terraform {
            $0.spec.provider.infrastructure = ["zones": ["a", "b", "c"], "credentials": "secret"]
        }
        #expect(more.actions == [group: .change, "aws_subnet.nodes[\"c\"]": .add])
        #expect(more.summary == "1 to add, 1 to change, 0 to destroy")
        #expect(
            try terraform { $0.spec.provider.infrastructure = ["zones": ["a", "b"], "credentials": "x"] }.actions
                .isEmpty
        )
        #expect(TerraformPreview(from: nil, to: try Samples.shoot()).actions.isEmpty)
    }

    @Test("the network of what sleeps is made when it wakes up, as far as it was not made before")
    func sleepingNetwork() throws {
        func asleep(_ shoot: inout Shoot) {
            Self.atAWS(&shoot)
            shoot.spec.hibernation.enabled = true
        }
        func once(_ shoot: inout Shoot) {
            asleep(&shoot)
            shoot.status = ShootStatus()
            shoot.status?.infrastructure = ["zones": ["a", "b"]]
        }
        func more(_ shoot: inout Shoot) {
            shoot.spec.provider.infrastructure = ["zones": ["a", "b", "c"], "credentials": "secret"]
        }
        func awake(_ shoot: inout Shoot) { shoot.spec.hibernation.enabled = false }
        #expect(TerraformPreview(from: nil, to: try Samples.shoot(asleep)).actions.isEmpty)
        #expect(try terraform(from: once, more).actions.isEmpty)
        #expect(try terraform(from: asleep, awake).summary == "8 to add, 0 to change, 0 to destroy")
        #expect(try terraform(from: once, awake).summary == "2 to add, 0 to change, 0 to destroy")
        func grew(_ shoot: inout Shoot) {
            once(&shoot)
            more(&shoot)
        }
        let grown = try terraform(from: grew, awake)
        #expect(grown.actions["aws_subnet.nodes[\"c\"]"] == .add && grown.actions.count == 3)
    }

    @Test("what Terraform would do stands among the consequences")
    func resourcesAreTold() throws {
        let new = try Samples.shoot { shoot in
            shoot.spec.provider.type = .aws
            shoot.spec.provider.infrastructure = ["zones": ["a"]]
        }
        let lines = try ShootPreview(from: nil, to: new).lines
        #expect(lines.contains { $0.hasPrefix("terraform: add aws_vpc.shoot") })
        #expect(lines.contains { $0.hasPrefix("terraform: 7 to add, 0 to change, 0 to destroy") })
        let bounds = try self.lines(from: Self.atAWS) {
            $0.spec.workers[0].maximum = 3
            $0.spec.workers[0].minimum = 2
        }
        expect(
            bounds.filter { !$0.hasPrefix("kube-system") },
            [
                "pool worker: up to 1 machine starts (minimum)", "pool worker: its bound moves to 3",
                "terraform: change aws_autoscaling_group.pool[\"worker\"] (spec.workers)", "terraform: 0 to add, 1",
            ]
        )
    }
}
