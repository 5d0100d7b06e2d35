import ClusterModel
import ShootPlan
import ShootSamples
import TendrilCore
import Testing

@Suite("What a change would do")
struct ShootPreviewTests {
    private func lines(_ change: (inout Shoot) -> Void) throws -> [String] {
        ShootPreview(from: try Samples.shoot().spec, to: try Samples.shoot(change).spec).lines
    }

    @Test("nothing, where nothing changed")
    func nothing() throws { #expect(try lines { _ in } == ["nothing would change"]) }

    @Test("a new shoot is made as a whole")
    func new() throws {
        let lines = ShootPreview(from: nil, to: try Samples.shoot().spec).lines
        #expect(
            lines.count == 2 && lines[0].hasPrefix("control-plane: is made") && lines[1].contains("1 machine start")
        )
    }

    /// A change, and how each line about it begins.
    struct Case: Sendable {
        let change: @Sendable (inout Shoot) -> Void
        let lines: [String]

        init(_ change: @escaping @Sendable (inout Shoot) -> Void, _ lines: [String]) {
            (self.change, self.lines) = (change, lines)
        }
    }

    @Test(
        "what restarts, what is made anew, what ends",
        arguments: [
            Case(
                { $0.spec.kubernetes.version = "1.21.0" },
                ["control-plane: its pods roll", "pool worker: its kubelets restart"]
            ),
            Case({ $0.spec.workers[0].labels = ["a": "b"] }, ["pool worker: its kubelets restart"]),
            Case(
                { $0.spec.workers[0].taints = [.init(key: "k", value: "v", effect: "NoSchedule")] },
                ["pool worker: its kubelets restart"]
            ),
            Case(
                { $0.spec.workers[0].taints = [.init(key: "k", value: "v", effect: "NoExecute")] },
                ["pool worker: its kubelets restart", "pool worker: pods that do not tolerate k are evicted"]
            ),
            Case({ $0.spec.workers[0].machineType = "m" }, ["pool worker: its machines are replaced"]),
            Case({ $0.spec.workers[0].maximum = 4 }, ["pool worker: its bound moves to 4"]),
            Case({ $0.spec.workers[0].minimum = 0 }, ["pool worker: the scaling group ends up to 1 machine of"]),
            Case({ $0.spec.workers = [] }, ["pool worker: its machines end"]),
            Case(
                { $0.spec.vpn.lanes = 2 },
                ["control-plane: the pods of kube-apiserver roll", "pool worker: tendril-vpn restarts"]
            ),
            Case({ $0.spec.controlPlane.audit = .metadata }, ["control-plane: the pods of kube-apiserver roll"]),
            Case({ $0.spec.controlPlane.audit = .nothing }, ["nothing would change"]),
            Case(
                { $0.spec.controlPlane.featureGates = ["JobManagedBy": true] },
                ["control-plane: the pods of kube-apiserver roll, then those of the controllers"]
            ),
            Case({ $0.spec.controlPlane.featureGates = [:] }, ["nothing would change"]),
            Case(
                { $0.spec.controlPlane.admissionPlugins = .init(enable: ["AlwaysPullImages"]) },
                ["control-plane: the pods of kube-apiserver roll (spec.controlPlane.admissionPlugins)"]
            ),
            Case(
                { $0.spec.controlPlane.admissionPlugins = .init(enable: ["NodeRestriction"]) },
                ["nothing would change"]
            ),
            Case(
                { $0.spec.workers[0].kubelet = .init(featureGates: ["MemoryQoS": true]) },
                ["pool worker: its kubelets restart"]
            ),
            Case(
                { $0.spec.hibernation.enabled = true },
                ["control-plane: its pods end", "every pool: its machines end"]
            ),
            Case({ $0.spec.addons.dns = false }, ["kube-system: add-ons come or go"]),
        ]
    )
    func consequences(_ example: Case) throws {
        let lines = try lines(example.change)
        #expect(lines.count == example.lines.count)
        for (line, start) in zip(lines, example.lines) { #expect(line.hasPrefix(start), "\(line)") }
    }

    @Test("an identity provider rolls kube-apiserver, and makes links anew where it is somewhere else")
    func identityProvider() throws {
        func spec(_ url: String?, _ claim: String = "sub") throws -> Shoot.Spec {
            try Samples.shoot {
                $0.spec.kubernetes.version = "1.34.0"
                $0.spec.controlPlane.oidc = url.map {
                    Shoot.OIDC(issuerURL: $0, clientID: "a", usernameClaim: claim)
                }
            }.spec
        }
        let old = try spec("https://login.example.org/a")
        func lines(_ new: Shoot.Spec) -> [String] { ShootPreview(from: old, to: new).lines }
        let server = "control-plane: the pods of kube-apiserver roll (spec.controlPlane.oidc)"
        #expect(lines(old) == ["nothing would change"])
        #expect(lines(try spec("https://login.example.org/b")) == [server])
        #expect(lines(try spec("https://login.example.org/a", "email")) == [server])
        for url in ["https://other.example.org/a", nil] {
            let found = lines(try spec(url))
            #expect(found.count == 2 && found.first == server)
            #expect(found.last?.hasPrefix("pool worker: tendril-vpn restarts") == true, "\(found)")
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
            let preview = ShootPreview(
                from: try Samples.shoot().spec,
                to: try Samples.shoot(change).spec,
                machines: machines
            )
            return preview.consequences.map(\.nodes)
        }
        #expect(try names { $0.spec.workers[0].labels = ["a": "b"] } == [["w1", "w2", "w3", "x1"]])
        #expect(try names { $0.spec.workers[0].machineType = "m" } == [["w1", "w2", "w3"]])
        #expect(try names { $0.spec.workers = [] } == [["w1", "w2", "w3", "x1"]])
        #expect(try names { $0.spec.hibernation.enabled = true } == [nil, ["w1", "w2", "w3", "x1"]])
        #expect(try names { $0.spec.kubernetes.version = "1.21.0" } == [nil, ["w1", "w2", "w3", "x1"]])
        #expect(try names { $0.spec.workers[0].maximum = 4 } == [nil])
        #expect(try names { $0.spec.workers[0].minimum = 0 } == [["w1", "w2", "w3", "x1"]])
    }

    @Test("a line names some of them, JSON all; it says nothing of what is not known")
    func namesInText() throws {
        let many = (100..<150).map { NodeBootstrap(name: "w\($0)", pool: "worker") }
        let (old, new) = (try Samples.shoot().spec, try Samples.shoot { $0.spec.workers[0].labels = ["a": "b"] }.spec)
        let preview = ShootPreview(from: old, to: new, machines: .init([], many))
        #expect(preview.lines.count == 2 && preview.lines[1].hasPrefix("  w100, w101, "))
        #expect(preview.lines[1].hasSuffix("w119 and 30 more"))
        let document = try CanonicalJSON.value(preview)
        #expect(document["consequences"]?.items.first?["nodes"]?.items.count == 50)
        let unknown = try CanonicalJSON.value(ShootPreview(from: old, to: new))
        #expect(unknown["consequences"]?.items.first?["nodes"] == nil && unknown["consequences"]?.items.count == 1)
    }

    private func terraform(_ change: (inout Shoot) -> Void) throws -> TerraformPreview {
        func atAWS(_ shoot: inout Shoot) {
            shoot.spec.region = "eu-central-1"
            shoot.spec.provider.type = .aws
            shoot.spec.provider.infrastructure = ["zones": ["a", "b"], "credentials": "secret"]
        }
        let changed = try Samples.shoot { shoot in
            atAWS(&shoot)
            change(&shoot)
        }
        return TerraformPreview(from: try Samples.shoot(atAWS).spec, to: changed.spec)
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
        #expect(TerraformPreview(from: nil, to: try Samples.shoot().spec).actions.isEmpty)
    }

    @Test("what Terraform would do stands among the consequences")
    func resourcesAreTold() throws {
        let new = try Samples.shoot { shoot in
            shoot.spec.provider.type = .aws
            shoot.spec.provider.infrastructure = ["zones": ["a"]]
        }
        let lines = ShootPreview(from: nil, to: new.spec).lines
        #expect(lines.contains { $0.hasPrefix("terraform: add aws_vpc.shoot") })
        #expect(lines.contains { $0.hasPrefix("terraform: 7 to add, 0 to change, 0 to destroy") })
    }
}
