import ClusterModel
import Coordinator
import TendrilCore
import Testing

@Suite("A snapshot that cannot be restored", .timeLimit(.minutes(10)))
struct FailedRestorationTests {
    private static let forgotten = "/api/v1/namespaces/default/configmaps/forgotten"

    @Test("leaves the cluster with the data that it had, running again, and says so")
    func givesUp() async throws {
        let server = try await Self.asked(enduring: "task failed") {
            $0.change(["metadata": ["annotations": [ShootAnnotation.snapshot: .string(World.broken)]]])
        } until: {
            Self.hasGivenUp($0)
        }
        let after = server.world
        let status = after.shootDocument?["status"]
        #expect(status?["restoration"]?["snapshot"]?.text == World.broken)
        #expect(status?["restoration"]?["message"]?.text?.contains("logs job/etcd-restore-") == true)
        #expect(after.shoot[Self.forgotten] != nil && Self.runs(after))
    }

    @Test("has the control plane start with the data of before also where somebody pauses the shoot just then")
    func paused() async throws {
        let whole = try await Self.asked(enduring: "task failed") {
            $0.change(["metadata": ["annotations": [ShootAnnotation.snapshot: .string(World.broken)]]])
        } until: {
            Self.hasGivenUp($0)
        }
        let stopped = whole.moments.map(\.world).first { Self.phase($0) == .failed && !Self.runs($0) }
        var world = try #require(stopped)
        #expect(world.shootDocument?["status"]?["restoration"]?["isStopped"] == .bool(true))
        world.pause(true)
        let after = try await Self.lived(in: world, until: Self.hasGivenUp).world
        #expect(after.shootDocument?["status"]?["restoration"]?["isStopped"] == nil)
        #expect(after.shoot[Self.forgotten] != nil)
    }

    @Test("is not looked for where there is none, or while the shoot sleeps: that is refused, and nothing is touched")
    func refused() async throws {
        for (name, isAsleep) in [("20240101T000000Z", false), (World.broken, true)] {
            let server = try await Self.asked(enduring: "refused") { world in
                world.change(["metadata": ["annotations": [ShootAnnotation.snapshot: .string(name)]]])
                if isAsleep { world.change(["spec": ["hibernation": ["enabled": true]]]) }
            } until: { world in
                let annotations = world.shootDocument?["metadata"]?["annotations"]
                return annotations?[ShootAnnotation.operation] == nil && annotations?[ShootAnnotation.snapshot] == nil
            }
            #expect(server.world.shootDocument?["status"]?["restoration"] == nil)
            #expect(server.world.shoot[Self.forgotten] != nil)
        }
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
        let server = try await Self.asked(enduring: "refused") {
            ($0.forbidden, $0.isForbiddenDryly) = ("/jobs/", true)
        } until: {
            $0.shootDocument?["metadata"]?["annotations"]?[ShootAnnotation.operation] == nil
        }
        #expect(Self.phase(server.world) == nil && server.world.shoot[Self.forgotten] != nil)
        let stopped = server.moments.filter { !Self.runs($0.world) }
        #expect(stopped.isEmpty)
    }

    @Test("for want of a right that was there a moment ago leaves the cluster running with the data that it had")
    func forbiddenLater() async throws {
        let server = try await Self.asked(enduring: "task failed") {
            $0.forbidden = "/jobs/"
        } until: {
            Self.hasGivenUp($0)
        }
        #expect(server.world.shoot[Self.forgotten] != nil)
    }

    @Test("for somebody has removed its Job leaves the cluster running with the data that it had, and makes no other")
    func removed() async throws {
        let server = try await Self.asked(enduring: "task failed") {
            $0.losesRestorations = true
        } until: {
            Self.hasGivenUp($0)
        }
        #expect(server.world.shoot[Self.forgotten] != nil)
        let message = server.world.shootDocument?["status"]?["restoration"]?["message"]?.text
        #expect(message?.contains("was removed") == true)
        #expect(server.moments.count { $0.path.contains("/jobs/etcd-restore-") } == 1)
        // Nor does another coordinator, whose forerunner was killed just then.
        let made = server.moments.map(\.world).first {
            $0.remembered("records.json")["tasks"]?[TaskName.restorationJob] != nil
        }
        let next = try await Self.lived(in: try #require(made), enduring: ["task failed"]) {
            Self.phase($0) == .failed && Self.runs($0)
        }
        #expect(!next.moments.contains { $0.path.contains("/jobs/etcd-restore-") })
        #expect(next.world.shoot[Self.forgotten] != nil)
    }

    @Test("for a part of the control plane cannot be stopped leaves the cluster running, and makes no Job")
    func runsOn() async throws {
        let server = try await Self.asked(enduring: "task failed") {
            $0.forbidden = "/deployments/kube-apiserver"
        } until: {
            Self.phase($0) == .failed && Self.runs($0)
        }
        #expect(server.world.shoot[Self.forgotten] != nil)
        #expect(!server.moments.contains { $0.path.contains("/jobs/etcd-restore-") })
    }

    @Test("to be followed by more is no failure: what was restored runs")
    func onlyNoMore() async throws {
        _ = try await Self.asked(enduring: "task failed") {
            $0.forbidden = "/cronjobs/"
        } until: {
            Self.phase($0) == .starting && Self.runs($0) && $0.shoot[Self.forgotten] == nil
        }
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
        let server = try await Self.lived(in: world) {
            $0.shootDocument?["status"]?["restoration"]?["snapshot"] == "before" && Self.phase($0) == .completed
        }
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
        let server = try await Self.lived(in: world, enduring: ["cannot reconcile"]) { world in
            Self.runs(world) && world.shoot[Self.forgotten] == nil
                && world.remembered("records.json")["restoration"]?["phase"]?.text
                    == RestorationPhase.completed.rawValue
        }
        #expect(server.world.shootDocument?["metadata"]?["annotations"]?[ShootAnnotation.operation] == nil)
    }

    @Test("or one that goes well ends also where the shoot is to sleep meanwhile")
    func asleep() async throws {
        let whole = try await Wish.restore.granted(in: try await Wish.restore.asked())
        let moments = whole.moments.filter { Self.phase($0.world) != nil }
        for moment in stride(from: 0, to: moments.count, by: max(moments.count / 6, 1)).map({ moments[$0] }) {
            _ = try await Self.lived(
                in: Wish.sleep.asked(of: moment.world),
                after: moment.path,
                until: Wish.sleep.isDone
            )
        }
    }

    /// Has a coordinator live in a world in which a restoration is asked for.
    ///
    /// - Parameters:
    ///   - complaint: what it may complain about.
    ///   - place: where the test says so.
    ///   - change: makes of such a world the one that it begins in.
    ///   - isDone: whether a world is as it is to become.
    /// - Returns: the server of the world that it has become.
    /// - Throws: where a coordinator cannot begin.
    private static func asked(
        enduring complaint: String,
        at place: SourceLocation = #_sourceLocation,
        in change: (inout World) -> Void,
        until isDone: @escaping @Sendable (World) -> Bool
    ) async throws -> WorldServer {
        var world = try await Wish.restore.asked()
        change(&world)
        return try await lived(in: world, enduring: [complaint], at: place, until: isDone)
    }

    /// Has a coordinator live in a world until that is as it is to become, and demands that it does.
    private static func lived(
        in world: World,
        enduring complaints: Set<String> = [],
        after moment: String = "the beginning",
        at place: SourceLocation = #_sourceLocation,
        until isDone: @escaping @Sendable (World) -> Bool
    ) async throws -> WorldServer {
        let server = WorldServer(world)
        let outcome = try await Life.run(server, enduring: complaints, until: isDone)
        #expect(outcome.isDone && outcome.complaints.isEmpty, "after \(moment): \(outcome)", sourceLocation: place)
        return server
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

    /// Whether a restoration has failed, and all else is done: the control plane is there to run.
    @Sendable private static func hasGivenUp(_ world: World) -> Bool {
        phase(world) == .failed && runs(world)
            && world.shootDocument?["status"]?["lastOperation"]?["state"]?.text
                == ShootStatus.OperationState.succeeded.rawValue
    }
}
