import ClusterModel
import LinuxSystem
import TendrilCore
import Testing

@Suite("What a shoot that goes has in a cloud, as its coordinator sees it", .timeLimit(.minutes(5)))
struct CloudTests {
    private static let notes = "/api/v1/namespaces/\(World.home)/configmaps/tendril-clean-up"

    private static let kubeconfig = "/api/v1/namespaces/demo/secrets/one.kubeconfig"

    /// A world with a shoot that is to go and has something in a cloud.
    private func doomed(_ change: (inout World) -> Void = { _ in }) async throws -> World {
        var world = try await Wish.delete.asked()
        world.addCloudObjects()
        change(&world)
        return world
    }

    /// What is told of what is left, while something is.
    private func told(_ server: WorldServer) -> [String] {
        server.moments.compactMap { moment in
            let conditions = moment.world.shootDocument?["status"]?["conditions"]?.items ?? []
            return conditions.first { $0["type"]?.text == ShootCondition.cloudObjectsLeft }?["message"]?.text
        }
    }

    @Test("It goes while there are machines for those who take it away, and nothing new comes")
    func order() async throws {
        let server = try await Wish.delete.granted(in: try await doomed())
        #expect(server.world.cloud.isEmpty && server.world.running.isEmpty)
        let ending = server.moments.first { $0.world.running.count < 2 }
        let left = ending?.world.cloud
        #expect(left == [])
        // Whoever has to help them is still let in.
        let taken = server.moments.first { $0.world.seed[Self.kubeconfig] == nil }
        let rest = try #require(taken).world.cloud
        #expect(rest == [])
        let quota = server.world.shoot["/api/v1/namespaces/shop/resourcequotas/tendril-deletion"]
        #expect(quota?["spec"]?["hard"] == ["services.loadbalancers": "0", "persistentvolumeclaims": "0"])
        #expect(told(server).isEmpty)
    }

    @Test("What does not go in its time holds nothing up, and is told by name")
    func stays() async throws {
        let stuck = try await doomed { world in
            world.hasControllers = false
            let page: JSONValue = ["clean-up.json": "{\"begun\":1}"]
            world.put(["metadata": ["name": "tendril-clean-up"], "data": page], inSeed: Self.notes)
        }
        let server = try await Wish.delete.granted(in: stuck)
        let text = told(server).last ?? ""
        #expect(text.contains("Service shop/web, PersistentVolume pv-1 (vol-1): it did not go within 5 min"), "\(text)")
        #expect(server.world.running.isEmpty && server.world.cloud.count == 3)
    }

    @Test("What was begun by a clock that was ahead is begun anew, and so comes to an end")
    func wrongClock() async throws {
        let ahead = Clock.unixTime() + 365 * 86400
        let world = try await doomed { world in
            let page: JSONValue = ["clean-up.json": .string("{\"begun\":\(ahead)}")]
            world.put(["metadata": ["name": "tendril-clean-up"], "data": page], inSeed: Self.notes)
        }
        let server = try await Wish.delete.granted(in: world)
        let noted = server.moments.compactMap { $0.world.seed[Self.notes]?["data"]?["clean-up.json"]?.text }
        let times = noted.compactMap { JSONValue(bytes: Array($0.utf8))["begun"]?.number }
        let begun = try #require(times.last)
        #expect(begun <= Int(Clock.unixTime()))
    }

    @Test("A coordinator that is killed on the way is followed by one that goes on")
    func killed() async throws {
        var world = try await doomed()
        var lives = 0
        while world.shootDocument != nil, lives < 20 {
            let server = WorldServer(world, until: 8)
            let outcome = try await Life.run(server, until: Wish.delete.isDone)
            #expect(outcome.complaints.isEmpty, "life \(lives): \(outcome)")
            (world, lives) = (server.world, lives + 1)
            if outcome.isDone { break }
        }
        #expect(lives > 1 && lives < 20)
        #expect(world.cloud.isEmpty && world.running.isEmpty)
    }

    @Test("Nobody waits where the owner wants it so, or where the shoot sleeps")
    func unasked() async throws {
        let hasty = try await doomed {
            $0.change(["metadata": ["annotations": [ShootAnnotation.cleanUpMinutes: "0"]]])
        }
        #expect(try await Wish.delete.granted(in: hasty).world.cloud.count == 3)
        var asleep = try await Wish.sleep.granted(in: try await Wish.sleep.asked()).world
        asleep.addCloudObjects()
        #expect(try await Wish.delete.granted(in: Wish.delete.asked(of: asleep)).world.cloud.count == 3)
    }
}
