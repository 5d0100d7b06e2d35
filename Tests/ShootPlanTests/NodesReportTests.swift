import ClusterModel
import NodePlan
import ShootPlan
import ShootSamples
import TendrilCore
import Testing

@Suite("What nodes look like")
struct NodesReportTests {
    private func node(
        _ name: String,
        ready: Bool = true,
        generation: String? = "3",
        pool: String = "worker",
        kubelet: String = "v1.20.2"
    ) throws -> Node {
        var metadata: JSONValue = ["name": .string(name), "labels": ["tendril.dev/pool": .string(pool)]]
        if let generation {
            metadata = metadata.merging(["annotations": ["tendril.dev/applied-generation": .string(generation)]])
        }
        let object: JSONValue = [
            "metadata": metadata,
            "status": [
                "conditions": [["type": "Ready", "status": ready ? "True" : "False"]],
                "nodeInfo": ["kubeletVersion": .string(kubelet)],
            ],
        ]
        return try object.decoded(as: Node.self)
    }

    private func problem(_ nodes: [Node], _ bootstraps: [NodeBootstrap] = []) throws -> String? {
        NodesReport(nodes, bootstraps, try Samples.shoot().spec.workers, generations: ["worker": 3]).problem
    }

    @Test("well, once each pool has its least number, all are ready, and all are what they are to be")
    func well() throws {
        #expect(try problem([node("a")]) == nil)
        #expect(try problem([node("a"), node("b", generation: "4")]) == nil)
        // One that is in no pool of ours is somebody else's.
        #expect(try problem([node("a"), node("c", generation: nil, pool: "theirs")]) == nil)
    }

    @Test("not well, with the name and the reason of each")
    func notWell() throws {
        #expect(try problem([]) == "pool worker: 0 of 1 nodes")
        #expect(try problem([node("a", ready: false)]) == "node a is not ready")
        #expect(try problem([node("a", generation: "2")]) == "node a has applied generation 2 of 3")
        #expect(try problem([node("a", generation: nil)]) == "node a has applied no generation yet")
        #expect(try problem([node("a", generation: "x")]) == "node a has applied no generation yet")
    }

    @Test(
        "not well, where a kubelet is of another minor release than its image was said to have",
        arguments: [
            ("v1.21.9", true), ("v1.21.2-rc1", true), ("v1.20.2", false), ("v1.22.1", false), ("built by hand", true),
        ]
    )
    func release(kubelet: String, isWell: Bool) throws {
        let node = try node("a", kubelet: kubelet)
        let workers = try Samples.shoot().spec.workers
        func problem(_ release: KubernetesVersion?) -> String? {
            NodesReport([node], [], workers, generations: ["worker": 3], release: release).problem
        }
        #expect(problem(nil) == nil)
        #expect((problem(KubernetesVersion(minor: 21, patch: 2)) == nil) == isWell)
    }

    @Test("not quite well, where its agent says so")
    func ailing() throws {
        var ill = try node("a")
        ill.status?.conditions?.append(
            Condition("SystemdUnitsReady", status: "False", reason: "Failed", message: "tendril-vpn.service failed")
        )
        let report = NodesReport(
            [ill, try node("b")],
            [],
            try Samples.shoot().spec.workers,
            generations: ["worker": 3]
        )
        #expect(report.problem == nil && report.ailment == "node a: tendril-vpn.service failed")
        #expect(NodesReport([try node("b")], [], [], generations: [:]).ailment == nil)
    }

    @Test("a machine of another class is to be replaced: what it has applied is not asked, only whether it is ready")
    func outdated() throws {
        func problem(_ node: Node, of machineClass: String) throws -> String? {
            var node = node
            node.metadata.annotations?["tendril.dev/machine-class"] = machineClass
            let workers = try Samples.shoot().spec.workers
            return NodesReport([node], [], workers, generations: ["worker": 3], classes: ["worker": "new"]).problem
        }
        #expect(try problem(node("a", generation: "2"), of: "old") == nil)
        #expect(try problem(node("a", generation: "2"), of: "new") == "node a has applied generation 2 of 3")
        #expect(try problem(node("a", ready: false, generation: "2"), of: "old") == "node a is not ready")
    }

    @Test("ahead, where a node has more than is known; that alone is nothing to wait for")
    func ahead() throws {
        func isAhead(_ nodes: Node...) -> Bool { NodesReport(nodes, [], [], generations: ["worker": 3]).isAhead }
        #expect(try isAhead(node("a"), node("b", generation: "4")))
        #expect(try !isAhead(node("a"), node("b", generation: "2"), node("c", generation: nil)))
        #expect(try !isAhead(node("c", generation: "9", pool: "theirs")))
    }

    @Test("a machine that never became a node says why; one that did is not asked any more")
    func machines() throws {
        func bootstrap(_ name: String, _ error: String?) -> NodeBootstrap {
            var bootstrap = NodeBootstrap(name: name, pool: "worker")
            var status = NodeBootstrap.Status(phase: .trust)
            status.error = error
            bootstrap.status = status
            return bootstrap
        }
        #expect(try problem([node("a")], [bootstrap("b", "wrong pin")]) == "machine b, trust: wrong pin")
        #expect(try problem([node("a")], [bootstrap("a", "old"), bootstrap("b", nil)]) == nil)
    }

    @Test("no more than five reasons at once")
    func bounded() throws {
        let many = try (0..<50).map { try node("n\($0)", ready: false) }
        #expect(try problem(many)?.split(separator: ";").count == 5)
    }
}
