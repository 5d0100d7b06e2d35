import ClusterModel
import Coordinator
import ShootPlan
import TendrilCore
import Testing

@Suite("A shoot whose owner wants what cannot be", .timeLimit(.minutes(5)))
struct RefusedTests {
    private static let kubeconfig = "/api/v1/namespaces/demo/secrets/one.kubeconfig"
    /// What a coordinator complains about then.
    private static let refusal: Set = ["cannot reconcile"]

    /// A world in which its owner wants a release that is too far away.
    private func refused(_ world: World) -> World {
        var world = world
        world.change(["spec": ["kubernetes": ["version": "1.36.0"]]])
        return world
    }

    private static func isTold(_ world: World) -> Bool {
        world.shootDocument?["status"]?["lastOperation"]?["state"]?.text == ShootStatus.OperationState.failed.rawValue
    }

    /// The release that control plane and nodes are said to run.
    private static func finished(_ world: World) -> String? {
        world.shootDocument?["status"]?["kubernetesVersion"]?.text
    }

    /// Which generations nodes have applied.
    private static func applied(_ world: World) -> [String] {
        world.shoot.documents.filter { $0.key.hasPrefix("/api/v1/nodes/") }.sorted { $0.key < $1.key }
            .map { $0.value["metadata"]?["annotations"]?[TendrilAPI.generationAnnotation]?.text ?? "" }
    }

    @Test("What was accepted is brought to its end, and is said to run once nodes have it")
    func goesOn() async throws {
        let whole = try await Wish.minorRelease.granted(in: try await Wish.minorRelease.asked())
        let begun = whole.moments.map(\.world).filter {
            $0.remembered("spec.json")["kubernetes"]?["version"] == "1.34.0" && Self.finished($0) == "1.33.1"
        }
        let (first, last) = (try #require(begun.first), try #require(begun.last))
        #expect(Self.applied(first) != Self.applied(whole.world))
        for world in [first, last] {
            let server = WorldServer(refused(world))
            let outcome = try await Life.run(server, enduring: Self.refusal) {
                Self.isTold($0) && Self.finished($0) == "1.34.0"
            }
            #expect(outcome.isDone && outcome.complaints.isEmpty && outcome.repeated.isEmpty, "\(outcome)")
            let ends = server.moments.map(\.world).filter { Self.finished($0) == "1.34.0" }
            #expect(ends.allSatisfy { Self.applied($0) == Self.applied(whole.world) })
        }
    }

    @Test("Tokens of machines are renewed, and what a renewal left undone is done: people get their kubeconfig")
    func renews() async throws {
        var world = refused(try await Wish.patchRelease.asked())
        let undone: JSONValue = [
            "machines": ["output": ["renewal": 1]], "etcd": ["inputs": ""], "access": ["inputs": ""],
        ]
        try world.remember("records.json", ["tasks": undone])
        world.remove(inSeed: Self.kubeconfig)
        let before = world.shootDocument?["status"]
        let server = WorldServer(world)
        let outcome = try await Life.run(server, enduring: Self.refusal) {
            Self.isTold($0) && $0.seed[Self.kubeconfig] != nil
        }
        #expect(outcome.isDone && outcome.complaints.isEmpty, "\(outcome)")
        #expect(Set(outcome.tasks).isSuperset(of: [TaskName.machines, TaskName.etcd, "access"]), "\(outcome)")
        // Nothing of what is refused is done, and it is not forgotten.
        let status = server.world.shootDocument?["status"]
        for field in ["kubernetesVersion", "observedGeneration", "isHibernated"] {
            #expect(status?[field] == before?[field], "\(field)")
        }
        #expect(status?["lastOperation"]?["description"]?.text?.contains("skips a minor release") == true)
    }

    @Test("Two taints of one key and effect, with which no machine could become a node, are refused")
    func taints() async throws {
        var world = try await Wish.patchRelease.asked()
        let pool = try #require(world.shootDocument?["spec"]?["workers"]?.items.first)
        let taint: JSONValue = ["key": "a", "effect": "NoSchedule"]
        world.change(["spec": ["workers": [pool.merging(["taints": [taint, taint]])]]])
        let outcome = try await Life.run(WorldServer(world), enduring: Self.refusal) {
            $0.shootDocument?["status"]?["lastOperation"]?["description"]?.text?
                .contains("spec.workers[0].taints[1]: a:NoSchedule is there twice") == true
        }
        #expect(outcome.isDone && outcome.complaints.isEmpty, "\(outcome)")
    }

    @Test("What was accepted before a rule became stricter is not refused", arguments: [Wish.patchRelease, .sleep])
    func stricter(_ wish: Wish) async throws {
        var world = try await wish.asked()
        let pool = try #require(world.shootDocument?["spec"]?["workers"]?.items.first)
        let wide: JSONValue = ["workers": [pool.merging(["kubelet": ["maxPods": 500]])]]
        world.change(["spec": wide])
        try world.remember("spec.json", wide)
        _ = try await wish.granted(in: world)
    }

    @Test("A flow that fails is told with how far it came")
    func progress() async throws {
        var world = try await Wish.otherKubelets.asked()
        world.remove(inSeed: "/api/v1/namespaces/\(World.home)/secrets/\(KeyName.nodeSigning.rawValue)")
        let server = WorldServer(world)
        let outcome = try await Life.run(server, enduring: ["task failed"]) {
            $0.shootDocument?["status"]?["lastOperation"]?["state"]?.text == ShootStatus.OperationState.error.rawValue
        }
        #expect(outcome.isDone && outcome.complaints.isEmpty, "\(outcome)")
        let progress = try #require(server.world.shootDocument?["status"]?["lastOperation"]?["progress"]?.number)
        #expect((1..<100).contains(progress))
    }
}
