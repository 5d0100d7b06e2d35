import ClusterModel
import Coordinator
import FoundationEssentials
import LinuxSystem
import TendrilCore
import Testing

/// What a coordinator leaves that is killed depends on nothing but the changes that the API has taken from it: before it has
/// sent the next one, while that is on its way and when its answer is lost, the API is as it was after one change or another.
@Suite("A coordinator that is killed", .timeLimit(.minutes(10)))
struct KillTests {
    /// With `TENDRIL_KILLS=all` it is killed after each single change, else after some of each kind.
    private static let isWhole = ProcessInfo.processInfo.environment["TENDRIL_KILLS"] == "all"
    private static let some = 2
    /// What was once wrong after these.
    private static let tried = ["/secrets/bootstrap-token", "/secrets/user-data", "/secrets/machines", "/shoots/one"]
    /// What one may complain about that is interrupted just then.
    private static let interrupted: Set = ["\(WorldServer.unread)", "cannot write down what was done"]
    /// So many changes are enough to get further, whatever has to be said anew first.
    private static let life = 12

    private static func chosen(_ moments: [WorldServer.Moment]) -> [WorldServer.Moment] {
        guard !isWhole else { return moments }
        let next = moments.dropFirst().map { Optional($0.kind) } + [nil]
        let last = zip(moments, next).filter { $0.kind != $1 }.map(\.0)
        func isTried(_ moment: WorldServer.Moment) -> Bool { tried.contains { moment.path.contains($0) } }
        let others = last.filter { !isTried($0) }
        let step = max(others.count / some, 1)
        return last.filter(isTried) + stride(from: 0, to: others.count, by: step).map { others[$0] }
    }

    /// Three of them, from the first on: what takes several lives each.
    private static func few(_ moments: [WorldServer.Moment]) -> [WorldServer.Moment] {
        guard !isWhole else { return moments }
        return stride(from: 0, to: moments.count, by: max(moments.count / 3 + 1, 1)).map { moments[$0] }
    }

    private func check(_ world: World, _ wanted: World, _ comment: Comment) {
        #expect(world.history.madeTwice.isEmpty, comment)
        #expect(world.machinesMade == wanted.machinesMade, comment)
        #expect(Essence.excess(world.history, wanted.history).isEmpty, comment)
        #expect(Essence.difference(world, wanted).isEmpty, comment)
    }

    @Test(
        "after any change is followed by one that goes on: nothing is done twice, and all is as if nobody had been killed",
        arguments: Wish.allCases
    )
    func anywhere(_ wish: Wish) async throws {
        let whole = try await wish.granted(in: try await wish.asked())
        for moment in Self.chosen(whole.moments) where moment.world.shootDocument != nil {
            let server = WorldServer(moment.world)
            let outcome = try await Life.run(server, until: wish.isDone)
            let comment: Comment = "after \(moment.path): \(outcome)"
            #expect(outcome.isDone && outcome.complaints.isEmpty && outcome.repeated.isEmpty, comment)
            check(server.world, whole.world, comment)
        }
    }

    @Test("again and again is followed by others until all is done", arguments: Wish.allCases)
    func repeatedly(_ wish: Wish) async throws {
        let start = try await wish.asked()
        let whole = try await wish.granted(in: start)
        var (world, lives) = (start, 0)
        while world.shootDocument != nil, lives < 100 {
            let server = WorldServer(world, until: Self.life)
            let outcome = try await Life.run(server, until: wish.isDone)
            #expect(outcome.complaints.isEmpty && outcome.repeated.isEmpty, "life \(lives): \(outcome)")
            (world, lives) = (server.world, lives + 1)
            if outcome.isDone { break }
        }
        #expect(lives < 100)
        check(world, whole.world, "\(lives) lives")
    }

    @Test("nowhere waits for whoever has a finalizer on the Node of a machine that is gone, and deletes it but once")
    func heldNodes() async throws {
        var world = try await Wish.otherMachines.asked()
        world.holdNode()
        let server = WorldServer(world)
        let outcome = try await Life.run(server, until: Wish.otherMachines.isDone)
        #expect(outcome.isDone && outcome.complaints.isEmpty, "\(outcome)")
        #expect(server.world.nodeDeletions.values.sorted() == [1, 1], "\(server.world.nodeDeletions)")
    }

    @Test("while it makes a shoot, which is deleted then: nothing is left of it")
    func halfMade() async throws {
        for moment in Self.chosen(try await Wish.create.granted(in: try await Wish.create.asked()).moments) {
            let server = WorldServer(Wish.delete.asked(of: moment.world))
            let outcome = try await Life.run(server, until: Wish.delete.isDone)
            let world = server.world
            #expect(outcome.isDone || world.shootDocument == nil, "after \(moment.path): \(outcome)")
            #expect(world.seed.documents.keys.sorted() == ["/apis/tendril.dev/v1alpha1/seeds/here"])
            #expect(world.running.isEmpty && outcome.complaints.isEmpty, "after \(moment.path): \(outcome)")
        }
    }

    @Test(
        "while its shoot changes its mind: what was done by half is made what is wanted now",
        arguments: [
            (Wish.sleep, Wish.wake), (.create, .sleep), (.minorRelease, .rotate), (.otherMachines, .sleep),
            (.rotate, .delete), (.restore, .delete),
        ]
    )
    func otherwise(_ first: Wish, _ second: Wish) async throws {
        let whole = try await first.granted(in: try await first.asked())
        let wanted = try await second.granted(in: second.asked(of: whole.world)).world
        for moment in Self.chosen(whole.moments) {
            let server = WorldServer(second.asked(of: moment.world))
            let outcome = try await Life.run(server, until: second.isDone)
            let comment: Comment = "after \(moment.path): \(outcome)"
            #expect(outcome.isDone && outcome.complaints.isEmpty && outcome.repeated.isEmpty, comment)
            #expect(server.world.history.madeTwice.isEmpty, comment)
            #expect(server.world.running.count == wanted.running.count, comment)
            let states = [server.world, wanted].map { $0.shootDocument?["status"]?["kubernetesVersion"] }
            #expect(states[0] == states[1], comment)
        }
    }

    @Test("while it exchanges credentials of a shoot that is put to sleep then and wakes up: all are exchanged once")
    func rotatingAsleep() async throws {
        let whole = try await Wish.rotate.granted(in: try await Wish.rotate.asked())
        // What is asked for of one that sleeps is refused.
        let begun = whole.moments.filter {
            let shoot = $0.world.shootDocument
            let isAsked = shoot?["metadata"]?["annotations"]?[ShootAnnotation.operation] != nil
            return shoot?["status"]?["credentialRotation"]?["phase"] == "Preparing" && !isAsked
        }
        try #require(!begun.isEmpty)
        for moment in Self.few(begun) {
            let asleep = try await Wish.sleep.granted(in: Wish.sleep.asked(of: moment.world)).world
            let server = WorldServer(Wish.wake.asked(of: asleep))
            let outcome = try await Life.run(server, until: Wish.rotate.isDone)
            let comment: Comment = "after \(moment.path): \(outcome)"
            #expect(outcome.isDone && outcome.complaints.isEmpty, comment)
            #expect(server.world.history.madeTwice.isEmpty, comment)
            #expect(server.world.running.count == whole.world.running.count, comment)
            #expect(credentials(server.world) == credentials(whole.world), comment)
        }
    }

    /// Of which rotation each credential is, by its Secret.
    private func credentials(_ world: World) -> [String: JSONValue] {
        world.seed.documents.filter { $0.key.contains("/namespaces/\(World.home)/secrets/") }
            .compactMapValues { $0["metadata"]?["annotations"]?["tendril.dev/credential"] }
    }

    @Test("while it restores a shoot that somebody pauses then: that comes to its end, and all else waits")
    func pausedRestoration() async throws {
        let whole = try await Wish.restore.granted(in: try await Wish.restore.asked())
        let begun = whole.moments.filter {
            let phase = $0.world.shootDocument?["status"]?["restoration"]?["phase"]
            return phase == "Replacing" || phase == "Starting"
        }
        try #require(!begun.isEmpty)
        for moment in Self.few(begun) {
            var wanted = Wish.patchRelease.asked(of: moment.world)
            wanted.pause(true)
            let server = WorldServer(wanted)
            let outcome = try await Life.run(server, until: Self.isRestored)
            let comment: Comment = "after \(moment.path): \(outcome)"
            #expect(outcome.isDone && outcome.complaints.isEmpty && outcome.repeated.isEmpty, comment)
            #expect(server.world.shootDocument?["status"]?["kubernetesVersion"] == "1.33.1", comment)
            var resumed = server.world
            resumed.pause(false)
            let after = try await Wish.patchRelease.granted(in: resumed).world
            #expect(after.shootDocument?["status"]?["kubernetesVersion"] == "1.33.2", comment)
            #expect(after.history.madeTwice.isEmpty, comment)
        }
    }

    /// Whether a restoration is at its end, and the control plane runs.
    @Sendable private static func isRestored(_ world: World) -> Bool {
        let status = world.shootDocument?["status"]
        let server = world.seed["/apis/apps/v1/namespaces/\(World.home)/deployments/kube-apiserver"]
        return status?["restoration"]?["phase"] == "Completed" && status?["lastOperation"]?["state"] == "Succeeded"
            && server?["spec"]?["replicas"] != 0
    }

    @Test(
        "in the middle by a pause, and resumed: nothing is done twice, and all is as if nobody had paused it",
        arguments: [Wish.create, .minorRelease, .otherMachines, .rotate, .sleep]
    )
    func paused(_ wish: Wish) async throws {
        var start = try await wish.asked()
        // Once there was an annotation there are some, if only none.
        for isPaused in [true, false] { start.pause(isPaused) }
        let whole = try await wish.granted(in: start)
        for part in 1...2 {
            let server = WorldServer(start, pausedAfter: whole.moments.count * part / 3)
            let resuming = Task {
                while !server.isPaused { try await Task.sleep(.milliseconds(1)) }
                try await Task.sleep(.milliseconds(50))
                server.resume()
            }
            let outcome = try await Life.run(server, enduring: Self.interrupted, until: wish.isDone)
            resuming.cancel()
            let comment: Comment = "part \(part): \(outcome)"
            #expect(outcome.isDone && outcome.complaints.isEmpty, comment)
            // All of it may have been done before anybody heard of the pause.
            var after = server.world
            after.pause(false)
            check(after, whole.world, comment)
        }
    }

    @Test("in the middle by a pause, long after a restoration has failed: nothing more is done until it is resumed")
    func pausedLongAfterFailure() async throws {
        let wish = Wish.otherMachines
        var start = try await wish.asked()
        let failed: JSONValue = [
            "snapshot": .string(World.broken), "phase": "Failed", "startTime": "2025-02-01T00:00:00Z",
            "completionTime": "2025-02-01T00:01:00Z", "message": "no room",
        ]
        start.change(["status": ["restoration": failed]])
        let whole = try await wish.granted(in: start)
        let server = WorldServer(start, pausedAfter: whole.moments.count / 2)
        let resuming = Task {
            while !server.isPaused { try await Task.sleep(.milliseconds(1)) }
            // What is under way ends.
            var count = -1
            while count != server.moments.count {
                count = server.moments.count
                try await Task.sleep(.milliseconds(500))
            }
            let state = server.world.shootDocument?["status"]?["lastOperation"]?["state"]?.text
            server.resume()
            return state
        }
        let outcome = try await Life.run(server, enduring: Self.interrupted, until: wish.isDone)
        #expect(outcome.isDone && outcome.complaints.isEmpty, "\(outcome)")
        resuming.cancel()
        // What was begun was left as it was.
        #expect(try await resuming.value == ShootStatus.OperationState.processing.rawValue)
    }
}
