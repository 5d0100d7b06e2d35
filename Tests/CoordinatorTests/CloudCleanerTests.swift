import ClusterModel
import Coordinator
import HTTPModel
import KubernetesClient
import LinuxSystem
import TendrilCore
import Testing

@Suite("A round in which load balancers and volumes are deleted")
struct CloudCleanerTests {
    private static let services = "DELETE /api/v1/namespaces/shop/services/"

    /// An API with so many load balancers, which answers deletions so; `nil` does them.
    private func api(_ count: Int, deletions: HTTPResponse? = nil) -> MemoryAPI {
        let api = MemoryAPI { $0.method == .delete ? deletions : nil }
        for number in 0..<count {
            api["/api/v1/namespaces/shop/services/s\(number)"] = [
                "metadata": ["name": .string("s\(number)"), "namespace": "shop"], "spec": ["type": "LoadBalancer"],
            ]
        }
        return api
    }

    private func clean(_ api: MemoryAPI, within limit: Nanoseconds = .seconds(60)) async throws {
        let client = api.client.hasty(.seconds(5), triesAgain: false)
        var cleaner = CloudCleaner(client, Works.silent)
        let found = try await cleaner.look()
        try await cleaner.clean(found, until: Clock.now() + limit)
    }

    @Test("sends a hundred of them at most, and the next one the others")
    func bounded() async throws {
        let api = api(CloudCleaner.most + 20)
        try await clean(api)
        #expect(api.bodies(Self.services).count == CloudCleaner.most)
        try await clean(api)
        #expect(api.bodies(Self.services).count == CloudCleaner.most + 20)
    }

    @Test("ends with the first answer that says that nobody is there, or that it is too much", arguments: [503, 429])
    func absent(_ status: Int) async throws {
        let api = api(3, deletions: HTTPResponse(status: status))
        try await clean(api)
        #expect(api.bodies("DELETE ").count == 1)
    }

    @Test("goes on after what is refused")
    func refused() async throws {
        let api = api(3, deletions: HTTPResponse(status: 403))
        try await clean(api)
        #expect(api.bodies(Self.services).count == 3)
    }

    @Test("sends nothing once its time is over, or nobody waits for it any more")
    func over() async throws {
        let api = api(3)
        try await clean(api, within: .seconds(0))
        #expect(api.bodies("DELETE ").isEmpty)
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            var cleaner = CloudCleaner(api.client, Works.silent)
            let found = try await cleaner.look()
            try await cleaner.clean(found, until: Clock.now() + .seconds(60))
        }
        task.cancel()
        await #expect(throws: (any Error).self) { try await task.value }
        #expect(api.bodies("DELETE ").isEmpty)
    }
}
