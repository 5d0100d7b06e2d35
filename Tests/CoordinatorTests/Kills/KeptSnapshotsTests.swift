import TendrilCore
import Testing

@Suite("The snapshots of a shoot", .timeLimit(.minutes(5)))
struct KeptSnapshotsTests {
    @Test("are told also where those that are too many cannot be removed", arguments: [false, true])
    func locked(_ isLocked: Bool) async throws {
        var world = try await Wish.restore.granted(in: try await Wish.restore.asked()).world
        let seed = "/apis/tendril.dev/v1alpha1/seeds/here"
        let found = try #require(world.seed[seed])
        world.put(found.merging(["spec": ["snapshots": ["keep": 1]]]), inSeed: seed)
        world.isStoreLocked = isLocked
        let server = WorldServer(world)
        let outcome = try await Life.run(server, enduring: ["cannot remove old snapshots"]) { world in
            let told = world.shootDocument?["status"]?["snapshots"]?.items ?? []
            return told.map { $0["name"]?.text } == ["20260101T000000Z"]
        }
        #expect(outcome.isDone && outcome.complaints.isEmpty, "\(outcome)")
    }
}
