import Coordinator
import TendrilCore
import Testing

@Suite("A shoot is apart from its garden and from other projects", .timeLimit(.minutes(5)))
struct ApartTests {
    /// Wishes for which nothing has to be put into the garden.
    private static let inner: [Wish] = [.patchRelease, .otherKubelets, .moreMachines, .fewerMachines, .otherMachines]

    @Test(
        "What is wanted is done while the garden is away, and told once that is back",
        arguments: inner
    )
    func gardenAway(_ wish: Wish) async throws {
        let start = try await wish.asked()
        let wanted = try await wish.granted(in: start).world
        let world = try await wish.granted(in: start, lacksGarden: true).world
        #expect(world.shootDocument?["status"]?["lastOperation"]?["state"] == "Succeeded")
        #expect(Essence.excess(world.history, wanted.history).isEmpty && world.history.madeTwice.isEmpty)
        #expect(Essence.difference(world, wanted).isEmpty)
    }

    @Test(
        "What is done for it is written to its own places: a project can read nothing of another's",
        arguments: Wish.allCases
    )
    func ownPlaces(_ wish: Wish) async throws {
        let places = try await wish.granted(in: try await wish.asked()).world.touched
        let own: Set = [
            World.shootPath, "/api/v1/namespaces/demo/secrets/one.kubeconfig", "/api/v1/namespaces/demo/events",
            "/api/v1/namespaces/\(World.home)",
        ]
        let others = places.subtracting(own).filter { !$0.contains("/namespaces/\(World.home)/") }
        #expect(others.isEmpty && !places.isDisjoint(with: own))
    }
}
