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

    @Test("A namespace that was there before a shoot stays when that goes, with all that is in it")
    func foreignNamespace() async throws {
        var world = try await Wish.delete.asked()
        let path = "/api/v1/namespaces/\(World.home)"
        let labels: JSONValue = ["tendril.dev/shoot": .null, "tendril.dev/project": "other"]
        let found = try #require(world.seed[path])
        world.put(MemoryObjects.patched(found, ["metadata": ["labels": labels]]), inSeed: path)
        let after = try await Wish.delete.granted(in: world).world
        #expect(after.seed[path] != nil && after.seed["\(path)/secrets/ca"] == world.seed["\(path)/secrets/ca"])
        #expect(after.running == world.running)
    }
}
