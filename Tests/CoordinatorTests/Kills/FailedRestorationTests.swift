import ClusterModel
import Coordinator
import TendrilCore
import Testing

@Suite("A snapshot that cannot be restored", .timeLimit(.minutes(10)))
struct FailedRestorationTests {
    private static let forgotten = "/api/v1/namespaces/default/configmaps/forgotten"

    @Test("leaves the cluster with the data that it had, running again, and says so")
    func givesUp() async throws {
        var world = try await Wish.restore.asked()
        world.change(["metadata": ["annotations": [ShootAnnotation.snapshot: .string(World.broken)]]])
        let server = WorldServer(world)
        let outcome = try await Life.run(server, enduring: ["task failed"]) { world in
            let status = world.shootDocument?["status"]
            return status?["restoration"]?["phase"]?.text == RestorationPhase.failed.rawValue
                && status?["lastOperation"]?["state"]?.text == ShootStatus.OperationState.succeeded.rawValue
        }
        #expect(outcome.isDone && outcome.complaints.isEmpty, "\(outcome)")
        let after = server.world
        let status = after.shootDocument?["status"]
        #expect(status?["restoration"]?["snapshot"]?.text == World.broken)
        #expect(status?["restoration"]?["message"]?.text?.contains("logs job/etcd-restore-") == true)
        #expect(after.shoot[Self.forgotten] != nil)
        for workload in ["deployments/kube-apiserver", "statefulsets/etcd"] {
            let path = "/apis/apps/v1/namespaces/\(World.home)/\(workload)"
            #expect(after.seed[path]?["spec"]?["replicas"] == 1, "\(workload)")
        }
    }

    @Test("is not looked for where there is none, or while the shoot sleeps: that is refused, and nothing is touched")
    func refused() async throws {
        for (name, isAsleep) in [("20240101T000000Z", false), (World.broken, true)] {
            var world = try await Wish.restore.asked()
            world.change(["metadata": ["annotations": [ShootAnnotation.snapshot: .string(name)]]])
            if isAsleep { world.change(["spec": ["hibernation": ["enabled": true]]]) }
            let server = WorldServer(world)
            let outcome = try await Life.run(server, enduring: ["refused"]) { world in
                let annotations = world.shootDocument?["metadata"]?["annotations"]
                return annotations?[ShootAnnotation.operation] == nil && annotations?[ShootAnnotation.snapshot] == nil
            }
            #expect(outcome.isDone && outcome.complaints.isEmpty, "\(outcome)")
            #expect(server.world.shootDocument?["status"]?["restoration"] == nil)
            #expect(server.world.shoot[Self.forgotten] != nil)
        }
    }
}
