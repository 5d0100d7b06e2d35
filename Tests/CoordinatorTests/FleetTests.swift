import ClusterModel
import Coordinator
import HTTPModel
import LinuxSystem
import ShootSamples
import TendrilCore
import Testing

@Suite("The shoots of a coordinator", .timeLimit(.minutes(10)))
struct FleetTests {
    /// A shoot that has its seed.
    private static func shoot(_ name: String) throws -> Shoot {
        try Samples.shoot {
            ($0.metadata.name, $0.metadata.finalizers) = (name, [ShootAnnotation.finalizer])
            $0.spec.seedName = "here"
        }
    }

    /// An API that does not answer for one shoot, whoever gives up waiting.
    private final class HeldAPI: TestAPI {
        let inner = MemoryAPI()
        private let waiting = Guarded<[CheckedContinuation<Void, Never>]?>([])

        func send(_ request: HTTPRequest, _ security: HTTPSecurity) async throws(TransferError) -> HTTPResponse {
            let answer = try await inner.send(request, security)
            guard request.url.contains("shoot--demo--slow") else { return answer }
            await withCheckedContinuation { continuation in
                let isHeld = waiting.withLock { waiting in
                    waiting?.append(continuation)
                    return waiting != nil
                }
                if !isHeld { continuation.resume() }
            }
            return answer
        }

        func release() {
            let all = waiting.withLock { waiting in
                defer { waiting = nil }
                return waiting ?? []
            }
            for continuation in all { continuation.resume() }
        }
    }

    @Test("one that ends slowly holds up no other; one of its name begins only after it")
    func slowEnd() async throws {
        let api = HeldAPI()
        try api.inner.put(try Samples.seed("here"))
        func reads(_ name: String) -> Int { api.inner.bodies("GET /api/v1/namespaces/shoot--demo--\(name)").count }
        func wait(for what: Comment, until isTrue: () -> Bool) async throws {
            let deadline = Clock.now() + .seconds(60)
            while !isTrue(), Clock.now() < deadline { try await Task.sleep(.milliseconds(5)) }
            #expect(isTrue(), what)
        }
        let fleet = Fleet(try Works.environment(api)) { _ in true }
        await fleet.observe(try Self.shoot("slow"))
        try await wait(for: "the first") { reads("slow") == 1 }
        await fleet.forget("demo/slow")
        await fleet.observe(try Self.shoot("slow"))
        await fleet.observe(try Self.shoot("other"))
        try await wait(for: "another") { reads("other") > 0 }
        #expect(reads("slow") == 1)
        api.release()
        try await wait(for: "the second of its name") { reads("slow") > 1 }
        await fleet.stop()
        await fleet.observe(try Self.shoot("late"))
        await fleet.observe(try Self.shoot("other"))
        let before = reads("other")
        try await Task.sleep(.milliseconds(100))
        #expect(reads("late") == 0 && reads("other") == before, "nothing begins after the end")
    }
}
