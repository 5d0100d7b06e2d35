import ClusterModel
import Coordinator
import LinuxSystem
import ShootPlan
import TendrilCore
import Testing

@Suite("A maintenance window", .timeLimit(.minutes(5)))
struct WindowTests {
    private static let kubeconfig = "/api/v1/namespaces/demo/secrets/one.kubeconfig"
    /// What the operator changes.
    private static let change: JSONValue = ["images": ["kubernetes": "registry.example.com"]]

    /// A world with a shoot that has a window of two hours, and people's certificate of which is due.
    private func begin(isOpen: Bool) async throws -> World {
        var world = try await Wish.patchRelease.asked()
        let begin = Clock.unixTime() - 3600 + (isOpen ? 0 : 3 * 3600)
        func text(_ time: UInt64) -> JSONValue {
            .string(String(KubernetesTime.text(seconds: time).dropFirst("2026-01-01T".count).prefix("22:30".count)))
        }
        world.change(["spec": ["maintenance": ["timeWindow": ["begin": text(begin), "end": text(begin + 7200)]]]])
        world = try await Wish.patchRelease.granted(in: world).world
        let output: JSONValue = ["output": ["people": 1]]
        try world.remember("records.json", ["tasks": .object([TaskName.certificates: output])])
        // It is to be another one.
        world.remove(inSeed: "/api/v1/namespaces/\(World.home)/secrets/\(LeafPlan.people)")
        return world
    }

    private func apiServer(_ world: World) -> JSONValue? {
        world.seed["/apis/apps/v1/namespaces/\(World.home)/deployments/kube-apiserver"]?["spec"]
    }

    @Test(
        "People's kubeconfig is renewed outside of it, and what the operator changes waits",
        arguments: [false, true]
    )
    func waits(_ isOpen: Bool) async throws {
        let world = try await begin(isOpen: isOpen)
        let server = WorldServer(world)
        let outcome = try await Life.run(server, with: Self.change, until: Wish.patchRelease.isDone)
        #expect(outcome.isDone && outcome.complaints.isEmpty && outcome.repeated.isEmpty, "\(outcome)")
        #expect(server.world.seed[Self.kubeconfig]?["data"] != world.seed[Self.kubeconfig]?["data"])
        #expect((apiServer(server.world) == apiServer(world)) == !isOpen)
        #expect((outcome.tasks == [TaskName.accessRenewal]) == !isOpen, "\(outcome)")
        #expect(server.world.shootDocument?["status"]?["kubernetesVersion"] == "1.33.2")
    }

    @Test("It is kept for a shoot whose owner wants what cannot be, too")
    func refused() async throws {
        var world = try await begin(isOpen: false)
        world.change(["spec": ["kubernetes": ["version": "1.36.0"]]])
        let (before, server) = (world, WorldServer(world))
        let outcome = try await Life.run(server, with: Self.change, enduring: ["cannot reconcile"]) {
            let state = $0.shootDocument?["status"]?["lastOperation"]?["state"]?.text
            return state == ShootStatus.OperationState.failed.rawValue
                && $0.seed[Self.kubeconfig]?["data"] != before.seed[Self.kubeconfig]?["data"]
        }
        #expect(outcome.isDone && outcome.complaints.isEmpty, "\(outcome)")
        #expect(outcome.tasks == [TaskName.accessRenewal] && apiServer(server.world) == apiServer(before))
    }

    @Test("A kubeconfig that was renewed outside of it is not renewed again, and is kept within it")
    func once() async throws {
        let first = WorldServer(try await begin(isOpen: false))
        _ = try await Life.run(first, until: Wish.patchRelease.isDone)
        let renewed = try #require(first.world.seed[Self.kubeconfig]?["data"])
        // The owner's own change brings the rest.
        var world = first.world
        world.change(["spec": ["vpn": ["lanes": 2]]])
        let second = try await Wish.patchRelease.granted(in: world)
        #expect(second.world.seed[Self.kubeconfig]?["data"] == renewed)
        let certificates = second.world.remembered("records.json")["tasks"]?[TaskName.certificates]?["output"]
        #expect(certificates?["people"]?.number ?? 0 > Int(Clock.unixTime()))
    }
}
