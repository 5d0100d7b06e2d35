import ClusterModel
import Coordinator
import FoundationEssentials
import NodePlan
import TendrilCore
import Testing

@Suite("What others write", .timeLimit(.minutes(5)))
struct HostileTests {
    private static let system = "/api/v1/namespaces/kube-system"
    private static let pointer = "\(system)/configmaps/\(TendrilAPI.pointer(pool: "worker"))"

    /// The generation that the machines of the pool are led to.
    private func generation(_ world: World) throws -> Int? {
        let name = try #require(world.shoot[Self.pointer]?["data"]?[TendrilAPI.pointerKey]?.text)
        let secret = world.shoot["\(Self.system)/secrets/\(name)"]
        let document = try #require(secret?["data"]?[TendrilAPI.documentKey]?.text)
        let bytes = try #require(Data(base64Encoded: document))
        return try JSONDecoder().decode(NodeConfiguration.self, from: bytes).metadata.generation
    }

    @Test(
        "What a shoot's owner tells its nodes does not count: only what is signed says how far generations are",
        arguments: [Int.max, 1_000_000, -1]
    )
    func forged(_ claimed: Int) async throws {
        var world = try await Wish.otherKubelets.asked()
        let before = try #require(try generation(world))
        let forgery = NodeConfiguration(pool: "worker", generation: claimed, spec: .init())
        let text = Data(try CanonicalJSON.bytes(forgery)).base64EncodedString()
        world.put(
            [
                "metadata": ["name": "forged", "namespace": "kube-system"],
                "data": [TendrilAPI.documentKey: .string(text), TendrilAPI.signatureKey: "AAAA"],
            ],
            inShoot: "\(Self.system)/secrets/forged"
        )
        let led = try #require(world.shoot[Self.pointer]).merging(["data": [TendrilAPI.pointerKey: "forged"]])
        world.put(led, inShoot: Self.pointer)
        #expect(try generation(try await Wish.otherKubelets.granted(in: world).world) == before + 1)
    }

    @Test("A shoot goes by what was made of it, whatever its owner wants of it last")
    func changedBeforeItsEnd() async throws {
        var world = try await Wish.delete.asked()
        world.change(["spec": ["provider": ["type": "aws"], "region": "elsewhere"]])
        #expect(try await Wish.delete.granted(in: world).world.running.isEmpty)
    }

    @Test("A shoot that names another seed now is still ended by the one that hosts it")
    func movedBeforeItsEnd() async throws {
        var world = try await Wish.delete.asked()
        world.change(["spec": ["seedName": "elsewhere"]])
        #expect(try await Wish.delete.granted(in: world).world.running.isEmpty)
    }

    @Test("A token that somebody took away is there again for the next machine")
    func lostToken() async throws {
        var world = try await Wish.moreMachines.asked()
        let tokens = world.shoot.documents.keys.filter { $0.contains("/secrets/bootstrap-token-") }
        try #require(!tokens.isEmpty)
        for path in tokens { world.remove(inShoot: path) }
        let after = try await Wish.moreMachines.granted(in: world).world
        #expect(after.running.count == 3)
        #expect(after.shoot.documents.keys.count { $0.contains("/secrets/bootstrap-token-") } == 1)
    }

    @Test("Who has leave to restart is said by machines alone: where all is made again no holder is named")
    func heldLease() throws {
        let leases = try BootstrapManifests.all(clusterInfo: nil).filter { $0["kind"] == "Lease" }
        #expect(leases.count == BootstrapManifests.restartLeases)
        #expect(leases.allSatisfy { $0["spec"]?["holderIdentity"] == nil })
    }

    @Test("Releases are not left out while a shoot sleeps")
    func asleep() async throws {
        var world = try await Wish.sleep.granted(in: try await Wish.sleep.asked()).world
        world = try await Wish.minorRelease.granted(in: Wish.minorRelease.asked(of: world)).world
        #expect(world.shootDocument?["status"]?["kubernetesVersion"] == "1.33.1")
        world = try await Wish.wake.granted(in: Wish.wake.asked(of: world)).world
        #expect(world.shootDocument?["status"]?["kubernetesVersion"] == "1.34.0")
    }

    @Test("The volume of etcd stays as it was made, whatever storage class the seed names now")
    func volume() async throws {
        var world = try await Wish.minorRelease.asked()
        let path = "/apis/apps/v1/namespaces/\(World.home)/statefulsets/etcd"
        let made: JSONValue = [["metadata": ["name": "data"], "spec": ["storageClassName": "old"]]]
        let before = try #require(world.seed[path])
        world.put(before.merging(["spec": ["volumeClaimTemplates": made]]), inSeed: path)
        let after = try await Wish.minorRelease.granted(in: world).world.seed[path]
        #expect(after?["spec"]?["volumeClaimTemplates"] == made)
        #expect(after?["spec"]?["template"] != before["spec"]?["template"])
    }

    @Test("The database of etcd keeps the room that an earlier release gave it")
    func quota() async throws {
        var world = try await Wish.minorRelease.asked()
        let path = "/apis/apps/v1/namespaces/\(World.home)/statefulsets/etcd"
        func text(_ world: World) throws -> String {
            String(decoding: try CanonicalJSON.bytes(try #require(world.seed[path])), as: UTF8.self)
        }
        let (made, older) = ("--quota-backend-bytes=4294967296", "--quota-backend-bytes=8589934592")
        let before = try text(world)
        try #require(before.contains(made))
        world.put(JSONValue(bytes: Array(before.replacing(made, with: older).utf8)), inSeed: path)
        let after = try text(try await Wish.minorRelease.granted(in: world).world)
        #expect(after.contains(older) && !after.contains(made))
    }

    @Test("What is left of an add-on that nobody wants is taken away, and what an owner has made of that name is not")
    func leftovers() async throws {
        var world = try await Wish.patchRelease.asked()
        let workload = "/apis/apps/v1/namespaces/kube-system/deployments/kubernetes-dashboard"
        let account = "\(Self.system)/serviceaccounts/kubernetes-dashboard"
        let labels: JSONValue = ["app.kubernetes.io/managed-by": "tendril-coordinator"]
        world.put(["metadata": ["name": "kubernetes-dashboard", "labels": labels]], inShoot: workload)
        world.put(["metadata": ["name": "kubernetes-dashboard"]], inShoot: account)
        let after = try await Wish.patchRelease.granted(in: world).world
        #expect(after.shoot[workload] == nil && after.shoot[account] != nil)
    }

    @Test("What is left of a flow that was cut off before it wrote anything down is taken away, too")
    func firstLeftovers() async throws {
        var world = try await Wish.create.asked()
        let workload = "/apis/apps/v1/namespaces/kube-system/deployments/kubernetes-dashboard"
        let account = "\(Self.system)/serviceaccounts/kubernetes-dashboard"
        let labels: JSONValue = ["app.kubernetes.io/managed-by": "tendril-coordinator"]
        world.put(["metadata": ["name": "kubernetes-dashboard", "labels": labels]], inShoot: workload)
        world.put(["metadata": ["name": "kubernetes-dashboard"]], inShoot: account)
        let after = try await Wish.create.granted(in: world).world
        #expect(after.shoot[workload] == nil && after.shoot[account] != nil)
    }

    @Test("What an add-on has in another version of its API now is the same object, and stays")
    func otherVersion() async throws {
        var world = try await Wish.patchRelease.asked()
        let budget = "namespaces/kube-system/poddisruptionbudgets/coredns"
        let (new, old) = ("/apis/policy/v1/\(budget)", "/apis/policy/v1beta1/\(budget)")
        let notebook = "/api/v1/namespaces/\(World.home)/configmaps/tendril-flow"
        let known = try #require(world.seed[notebook]?["data"]?["records.json"]?.text)
        try #require(known.contains(new))
        let records = JSONValue.string(known.replacing(new, with: old))
        let told = try #require(world.seed[notebook]).merging(["data": ["records.json": records]])
        world.put(told, inSeed: notebook)
        let found = try #require(world.shoot[new])
        world.put(found, inShoot: old)
        let after = try await Wish.patchRelease.granted(in: world).world
        #expect(after.shoot[new] != nil && after.shoot[old] != nil)
    }

    @Test(
        "A namespace that was there before a shoot, or is an earlier one's, stays when that goes, with what is in it",
        arguments: [
            ["labels": ["tendril.dev/shoot": .null, "tendril.dev/project": "other"]],
            ["annotations": [Ownership.shootUID: "u0"]],
        ] as [JSONValue]
    )
    func foreignNamespace(_ metadata: JSONValue) async throws {
        var world = try await Wish.delete.asked()
        let path = "/api/v1/namespaces/\(World.home)"
        let found = try #require(world.seed[path])
        world.put(MemoryObjects.patched(found, ["metadata": metadata]), inSeed: path)
        let after = try await Wish.delete.granted(in: world).world
        #expect(after.seed[path] != nil && after.seed["\(path)/secrets/ca"] == world.seed["\(path)/secrets/ca"])
        #expect(after.running == world.running)
    }

    @Test(
        "Of what stands in a namespace that was there before a shoot nothing is believed, and nothing is written there",
        arguments: [nil, .rotateStart, .restore] as [ShootOperation?]
    )
    func forgedRecords(_ operation: ShootOperation?) async throws {
        let home = "/api/v1/namespaces/\(World.home)"
        let made = try await Wish.patchRelease.asked()
        var world = try await Wish.create.asked()
        world.put(["metadata": ["name": .string(World.home)]], inSeed: home)
        // They say that all is done, the namespace first of all.
        let notebook = "\(home)/configmaps/tendril-flow"
        world.put(try #require(made.seed[notebook]), inSeed: notebook)
        if let operation {
            world.change(["metadata": ["annotations": [ShootAnnotation.operation: .string(operation.rawValue)]]])
        }
        let server = WorldServer(world)
        let outcome = try await Life.run(server, enduring: ["task failed"]) {
            let last = $0.shootDocument?["status"]?["lastOperation"]
            return last?["description"]?.text?.contains("is not this shoot's") == true
        }
        #expect(outcome.isDone && outcome.tasks == [] && outcome.complaints == [], "\(outcome)")
        func found(_ world: World) -> [String: JSONValue] {
            world.seed.documents.filter { $0.key.contains("/namespaces/\(World.home)") }
        }
        let after = server.world
        #expect(found(after) == found(world))
        // What somebody asked for is not lost.
        #expect(after.shootDocument.flatMap { try? $0.decoded(as: Shoot.self) }?.operation == operation?.rawValue)
    }

    @Test("A shoot gets nothing of an earlier one of its name that still runs, and changes nothing there")
    func namesake() async throws {
        var world = try await Wish.patchRelease.asked()
        // Somebody has taken the finalizer away, and the project is another one's by now.
        let gone: JSONValue = ["uid": "u2", "finalizers": .null, "annotations": .null]
        let shoot = try #require(world.shootDocument)
        world.put(MemoryObjects.patched(shoot, ["metadata": gone, "status": .null]), inSeed: World.shootPath)
        func home(_ world: World) -> [String: JSONValue] {
            world.seed.documents.filter { $0.key.contains("/namespaces/\(World.home)") }
        }
        let server = WorldServer(world)
        let outcome = try await Life.run(server, enduring: ["task failed"]) {
            let last = $0.shootDocument?["status"]?["lastOperation"]
            return last?["description"]?.text?.contains(Ownership.shootUID) == true
        }
        #expect(outcome.isDone && outcome.tasks == [] && outcome.complaints == [], "\(outcome)")
        #expect(home(server.world) == home(world) && server.world.running == world.running)
        let secrets = server.world.seed.documents.keys.filter { $0.hasPrefix("/api/v1/namespaces/demo/secrets/") }
        #expect(secrets.allSatisfy { server.world.seed[$0] == world.seed[$0] })
    }
}
