import ClusterModel
import Coordinator
import ShootPlan
import ShootSamples
import TendrilCore
import Testing

@Suite("Where what was written down of a shoot is lost", .timeLimit(.minutes(5)))
struct LostRecordsTests {
    private static let notebook = "/api/v1/namespaces/\(World.home)/configmaps/tendril-flow"

    private func lost(_ world: World) -> World {
        var world = world
        world.remove(inSeed: Self.notebook)
        world.forgetHistory()
        return world
    }

    /// A world in which somebody has written down by hand what was accepted.
    private func written(_ spec: JSONValue, in world: World) throws -> World {
        var world = world
        let document: JSONValue = [
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": ["name": "tendril-flow", "namespace": .string(World.home)],
            "data": ["spec.json": .string(try CanonicalJSON.text(spec))],
        ]
        world.put(document, inSeed: Self.notebook)
        return world
    }

    /// The world once its coordinator says why it does nothing; nothing is done then.
    private func refused(_ reason: String, in world: World) async throws -> World {
        let server = WorldServer(world)
        let outcome = try await Life.run(server, enduring: ["cannot reconcile"]) { Self.isRefused($0, reason) }
        #expect(outcome.isDone && outcome.tasks == [] && outcome.complaints == [], "\(outcome)")
        #expect(server.world.running == world.running && server.world.history.changes.isEmpty)
        return server.world
    }

    /// The world once its coordinator has done everything as it was accepted, and says why not as it is wanted.
    private func caredFor(_ reason: String, in world: World) async throws -> World {
        let server = WorldServer(world)
        let outcome = try await Life.run(server, enduring: ["cannot reconcile"]) { world in
            Self.isRefused(world, reason) && world.remembered("records.json")["tasks"]?[TaskName.access] != nil
        }
        #expect(outcome.isDone && outcome.complaints == [], "\(outcome)")
        #expect(server.world.machinesMade == world.machinesMade && server.world.history.madeTwice.isEmpty)
        return server.world
    }

    /// Whether the status says that what is wanted cannot be, and why.
    @Sendable private static func isRefused(_ world: World, _ reason: String) -> Bool {
        let last = world.shootDocument?["status"]?["lastOperation"]
        return last?["state"] == "Failed" && last?["description"]?.text?.contains(reason) == true
    }

    @Test("a change that was refused is not accepted then, and one that is under way waits for who knows what was")
    func changes() async throws {
        var world = try await Wish.patchRelease.granted(in: try await Wish.patchRelease.asked()).world
        let (made, accepted) = (world, world.remembered("spec.json"))
        world.change(["spec": ["networking": ["services": "10.98.0.0/16"]]])
        world = try await refused("tendril-flow", in: lost(world))
        world = try await caredFor("spec.networking.services", in: try written(accepted, in: world))
        #expect(world.remembered("spec.json") == accepted)
        let before = made.shootDocument?["spec"]?["networking"]?["services"] ?? .null
        world.change(["spec": ["networking": ["services": before]]])
        world = try await Wish.patchRelease.granted(in: world).world
        #expect(world.running == made.running && world.history.madeTwice.isEmpty)
    }

    @Test("one of which just that was done is made again as it was, with no second machine and no other credential")
    func settled() async throws {
        let made = try await Wish.patchRelease.granted(in: try await Wish.patchRelease.asked()).world
        let after = try await Wish.patchRelease.granted(in: lost(made)).world
        #expect(after.machinesMade == made.machinesMade && after.history.madeTwice.isEmpty)
        #expect(after.remembered("spec.json") == made.remembered("spec.json"))
    }

    @Test("it goes by what was accepted, or not before somebody says what that was")
    func deletion() async throws {
        var world = try await Wish.patchRelease.granted(in: try await Wish.patchRelease.asked()).world
        let accepted = world.remembered("spec.json")
        let gone = try await Wish.delete.granted(in: lost(Wish.delete.asked(of: world))).world
        #expect(gone.running.isEmpty)
        world.change(["spec": ["provider": ["type": "aws"], "region": "elsewhere"]])
        world = try await refused("tendril-flow", in: lost(Wish.delete.asked(of: world)))
        #expect(!world.running.isEmpty)
        world = try await Wish.delete.granted(in: try written(accepted, in: world)).world
        #expect(world.running.isEmpty)
    }

    @Test("a rotation that was completed is not completed anew, which would make all snapshots worthless")
    func rotation() async throws {
        var world = try await Wish.completeRotation.granted(in: try await Wish.completeRotation.asked()).world
        world.change(["status": ["credentialRotation": ["completionTime": "2026-01-01T00:00:00Z"]]])
        let told = world.shootDocument?["status"]?["credentialRotation"]
        let after = try await Wish.patchRelease.granted(in: lost(world)).world
        #expect(after.shootDocument?["status"]?["credentialRotation"] == told)
        #expect(after.shootDocument?["status"]?["lastOperation"]?["type"] == "Reconcile")
        #expect(after.history.madeTwice.isEmpty)
    }

    @Test("a restoration that replaces data goes on, and nothing starts beside it")
    func restoration() async throws {
        let whole = try await Wish.restore.granted(in: try await Wish.restore.asked())
        let replacing = whole.moments.filter {
            $0.world.shootDocument?["status"]?["restoration"]?["phase"]?.text == RestorationPhase.replacing.rawValue
        }
        try #require(replacing.count > 2)
        for moment in [replacing[0], replacing[replacing.count / 2], replacing[replacing.count - 1]] {
            let server = WorldServer(lost(moment.world))
            let outcome = try await Life.run(server, until: Wish.restore.isDone)
            #expect(outcome.isDone && outcome.complaints.isEmpty, "after \(moment.path): \(outcome)")
            #expect(server.world.history.madeTwice.isEmpty, "after \(moment.path)")
        }
    }
}

@Suite("What a status says of what was written down")
struct LostRecordsOfStatusTests {
    private func shoot(_ generation: Int, observed: Int?, isGoing: Bool = false) throws -> Shoot {
        try Samples.shoot {
            $0.metadata.generation = generation
            $0.metadata.deletionTimestamp = isGoing ? "2026-01-01T00:00:00Z" : nil
            $0.status = ShootStatus()
            $0.status?.observedGeneration = observed
        }
    }

    @Test("What is wanted was accepted where just that was done; a deletion changes nothing of it")
    func spec() throws {
        let known = [try shoot(3, observed: 3), try shoot(4, observed: 3, isGoing: true)]
        for shoot in known { #expect(try LostRecords.spec(of: shoot) == shoot.spec) }
        let never = [try shoot(3, observed: nil), try shoot(4, observed: nil, isGoing: true), try Samples.shoot()]
        for shoot in never { #expect(try LostRecords.spec(of: shoot) == nil) }
        let unknown = [
            try shoot(4, observed: 3), try shoot(5, observed: 3, isGoing: true), try shoot(2, observed: 3),
            try shoot(.min, observed: .max, isGoing: true), try shoot(0, observed: .max),
        ]
        for shoot in unknown { #expect(throws: ConfigurationError.self) { try LostRecords.spec(of: shoot) } }
    }

    @Test("Where a restoration is, and what a provider made, stands there; what cannot be read is not passed over")
    func records() throws {
        var shoot = try shoot(3, observed: 3)
        #expect(try LostRecords.records(of: shoot) == FlowRecords())
        #expect(try LostRecords.records(of: try Samples.shoot()) == FlowRecords())
        let time = "2026-01-01T00:00:00Z"
        shoot.status?.snapshots = [.init(name: "a", time: time, size: 7), .init(name: "b", time: time, size: 8)]
        shoot.status?.restoration = .init(snapshot: "b", phase: .replacing, startTime: time)
        shoot.status?.infrastructure = ["zones": ["a"]]
        let found = try LostRecords.records(of: shoot)
        #expect(found.restoration?.phase == .replacing && found.restoration?.size == 8)
        #expect(found[TaskName.infrastructure] == ["zones": ["a"]] && !found.isUnchanged(TaskName.infrastructure))
        shoot.status?.restoration = .init(snapshot: "b", phase: .replacing, startTime: "now")
        #expect(throws: ConfigurationError.self) { try LostRecords.records(of: shoot) }
    }
}
