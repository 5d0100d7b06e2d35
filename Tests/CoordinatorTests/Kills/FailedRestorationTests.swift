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

    /// Whether all of the control plane is there to run.
    private static func runs(_ world: World) -> Bool {
        ["deployments/kube-apiserver", "statefulsets/etcd"].allSatisfy {
            world.seed["/apis/apps/v1/namespaces/\(World.home)/\($0)"]?["spec"]?["replicas"] == 1
        }
    }

    private static func phase(_ world: World) -> RestorationPhase? {
        world.shootDocument?["status"]?["restoration"]?["phase"]?.text.flatMap { RestorationPhase(rawValue: $0) }
    }

    @Test("for something newer came while it was looked for is not refused, but looked for again")
    func interrupted() async throws {
        var world = try await Wish.restore.asked()
        world.isInterrupted = true
        let after = try await Wish.restore.granted(in: world).world
        #expect(!after.isInterrupted && after.shoot[Self.forgotten] == nil)
    }

    @Test("for want of a right is refused before anything is stopped")
    func forbiddenFromTheBeginning() async throws {
        var world = try await Wish.restore.asked()
        (world.forbidden, world.isForbiddenDryly) = ("/jobs/", true)
        let server = WorldServer(world)
        let outcome = try await Life.run(server, enduring: ["refused"]) { world in
            world.shootDocument?["metadata"]?["annotations"]?[ShootAnnotation.operation] == nil
        }
        #expect(outcome.isDone && outcome.complaints.isEmpty, "\(outcome)")
        #expect(Self.phase(server.world) == nil && server.world.shoot[Self.forgotten] != nil)
        let stopped = server.moments.filter { !Self.runs($0.world) }
        #expect(stopped.isEmpty)
    }

    @Test("for want of a right that was there a moment ago leaves the cluster running with the data that it had")
    func forbiddenLater() async throws {
        var world = try await Wish.restore.asked()
        world.forbidden = "/jobs/"
        let server = WorldServer(world)
        let outcome = try await Life.run(server, enduring: ["task failed"]) { world in
            Self.phase(world) == .failed && Self.runs(world)
                && world.shootDocument?["status"]?["lastOperation"]?["state"]?.text
                    == ShootStatus.OperationState.succeeded.rawValue
        }
        #expect(outcome.isDone && outcome.complaints.isEmpty, "\(outcome)")
        #expect(server.world.shoot[Self.forgotten] != nil)
    }

    @Test("for somebody has removed its Job leaves the cluster running with the data that it had, and makes no other")
    func removed() async throws {
        var world = try await Wish.restore.asked()
        world.losesRestorations = true
        let server = WorldServer(world)
        let outcome = try await Life.run(server, enduring: ["task failed"]) { world in
            Self.phase(world) == .failed && Self.runs(world)
                && world.shootDocument?["status"]?["lastOperation"]?["state"]?.text
                    == ShootStatus.OperationState.succeeded.rawValue
        }
        #expect(outcome.isDone && outcome.complaints.isEmpty, "\(outcome)")
        #expect(server.world.shoot[Self.forgotten] != nil)
        let message = server.world.shootDocument?["status"]?["restoration"]?["message"]?.text
        #expect(message?.contains("was removed") == true)
        #expect(server.moments.count { $0.path.contains("/jobs/etcd-restore-") } == 1)
        // Nor does another coordinator, whose forerunner was killed just then.
        let made = server.moments.map(\.world).first {
            $0.remembered("records.json")["tasks"]?[TaskName.restorationJob] != nil
        }
        let next = WorldServer(try #require(made))
        let end = try await Life.run(next, enduring: ["task failed"]) { Self.phase($0) == .failed && Self.runs($0) }
        #expect(end.isDone && end.complaints.isEmpty, "\(end)")
        #expect(!next.moments.contains { $0.path.contains("/jobs/etcd-restore-") })
        #expect(next.world.shoot[Self.forgotten] != nil)
    }

    @Test("for a part of the control plane cannot be stopped leaves the cluster running, and makes no Job")
    func runsOn() async throws {
        var world = try await Wish.restore.asked()
        world.forbidden = "/deployments/kube-apiserver"
        let server = WorldServer(world)
        let outcome = try await Life.run(server, enduring: ["task failed"]) { world in
            Self.phase(world) == .failed && Self.runs(world)
        }
        #expect(outcome.isDone && outcome.complaints.isEmpty, "\(outcome)")
        #expect(server.world.shoot[Self.forgotten] != nil)
        #expect(!server.moments.contains { $0.path.contains("/jobs/etcd-restore-") })
    }

    @Test("to be followed by more is no failure: what was restored runs")
    func onlyNoMore() async throws {
        var world = try await Wish.restore.asked()
        world.forbidden = "/cronjobs/"
        let server = WorldServer(world)
        let outcome = try await Life.run(server, enduring: ["task failed"]) { world in
            Self.phase(world) == .starting && Self.runs(world) && world.shoot[Self.forgotten] == nil
        }
        #expect(outcome.isDone && outcome.complaints.isEmpty, "\(outcome)")
    }

    @Test("to completion, for what it brought does not start, is no end: there is a way back")
    func wayBack() async throws {
        let whole = try await Wish.restore.granted(in: try await Wish.restore.asked())
        let replaced = whole.moments.map(\.world).first { Self.phase($0) == .starting }
        var world = try #require(replaced)
        #expect(world.shoot[Self.forgotten] == nil)
        let wish: JSONValue = [
            ShootAnnotation.operation: .string(ShootOperation.restore.rawValue), ShootAnnotation.snapshot: "before",
        ]
        world.change(["metadata": ["annotations": wish]])
        let server = WorldServer(world)
        let outcome = try await Life.run(server) { world in
            world.shootDocument?["status"]?["restoration"]?["snapshot"] == "before" && Self.phase(world) == .completed
        }
        #expect(outcome.isDone && outcome.complaints.isEmpty, "\(outcome)")
        #expect(server.world.shoot[Self.forgotten] != nil && Self.runs(server.world))
    }

    @Test("is none that was taken up once, whose owner wants what cannot be meanwhile: it is not restored again")
    func onceOnly() async throws {
        let whole = try await Wish.restore.granted(in: try await Wish.restore.asked())
        let begun = whole.moments.map(\.world).first {
            $0.remembered("records.json")["restoration"] != nil
                && $0.shootDocument?["metadata"]?["annotations"]?[ShootAnnotation.operation] != nil
        }
        var world = try #require(begun)
        world.change(["spec": ["kubernetes": ["version": "1.36.0"]]])
        let server = WorldServer(world)
        let outcome = try await Life.run(server, enduring: ["cannot reconcile"]) { world in
            Self.runs(world) && world.shoot[Self.forgotten] == nil
                && world.remembered("records.json")["restoration"]?["phase"]?.text
                    == RestorationPhase.completed.rawValue
        }
        #expect(outcome.isDone && outcome.complaints.isEmpty, "\(outcome)")
        #expect(server.world.shootDocument?["metadata"]?["annotations"]?[ShootAnnotation.operation] == nil)
    }

    @Test("or one that goes well ends also where the shoot is to sleep meanwhile")
    func asleep() async throws {
        let whole = try await Wish.restore.granted(in: try await Wish.restore.asked())
        let moments = whole.moments.filter { Self.phase($0.world) != nil }
        for moment in stride(from: 0, to: moments.count, by: max(moments.count / 6, 1)).map({ moments[$0] }) {
            let server = WorldServer(Wish.sleep.asked(of: moment.world))
            let outcome = try await Life.run(server, until: Wish.sleep.isDone)
            #expect(outcome.isDone && outcome.complaints.isEmpty, "after \(moment.path): \(outcome)")
        }
    }
}
