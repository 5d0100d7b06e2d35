import ClusterModel
import Coordinator
import HTTPModel
import KubernetesClient
import LinuxSystem
import ShootPlan
import TendrilCore
import TestSupport
import Testing

/// An API server in memory that has a bad day: it is not reached, refuses, is slow, or loses answers to what it has done.
private final class FaultyAPI: TestAPI {
    enum Day: Sendable {
        case good
        case bad
        /// Nobody is there.
        case down
    }

    let api = MemoryAPI()
    private let state: Guarded<(day: Day, random: SeededGenerator)>

    init(_ day: Day, seed: UInt64 = 0) { state = Guarded((day, SeededGenerator(seed: seed))) }

    func begin(_ day: Day) { state.withLock { $0.day = day } }

    /// What asks once, so that each fault is seen by whoever asks.
    var hasty: KubernetesClient { client.hasty(.seconds(5), triesAgain: false) }

    func send(_ request: HTTPRequest, _ security: HTTPSecurity) async throws(TransferError) -> HTTPResponse {
        let (day, number, code) = state.withLock { state in
            (state.day, Int(state.random.next() % 80), [409, 410, 429, 500, 503][Int(state.random.next() % 5)])
        }
        let unreached = TransferError(.connect, url: request.url, reason: "nobody is there")
        switch (day, number) {
        case (.down, _), (.bad, 0): throw unreached
        case (.bad, 1): return HTTPResponse(status: code, headers: ["retry-after": "0"])
        case (.bad, 2):
            _ = try await api.send(request, security)
            throw TransferError(.timeout, url: request.url, reason: "the answer is lost")
        case (.bad, 3):
            try? await Task.sleep(.milliseconds(5))
            return try await api.send(request, security)
        default: return try await api.send(request, security)
        }
    }
}

@Suite("A seed that has a bad day, and a garden that is down", .timeLimit(.minutes(10)))
struct FaultyAPITests {
    private static let names = [TaskName.namespace, TaskName.authorities, TaskName.certificates]

    private func run(_ work: ShootWork, from records: FlowRecords, isThorough: Bool = false) async -> FlowOutcome {
        let services = Works.beginnings.filter { $0.name == TaskName.services }
        let tasks = ShootFlows.reconcile(work, LocalProvider(), Rotation()).filter { Self.names.contains($0.name) }
        let runner = FlowRunner(
            tasks: services + tasks,
            observer: StatusWriter(garden: work.garden, shoot: work.shoot, type: .create, logger: Works.silent),
            save: { _ in },
            logger: Works.silent,
            slots: Slots(4),
            isThorough: isThorough,
            pauses: Backoff(start: .milliseconds(1), limit: .milliseconds(2))
        )
        return await runner.run(from: records)
    }

    /// What each CA's Secret holds, by its name, as far as there is one.
    private func authorities(_ seed: FaultyAPI, _ work: ShootWork) -> [String: JSONValue] {
        Authority.allCases.reduce(into: [:]) {
            $0[$1.rawValue] = seed.api["/api/v1/namespaces/\(work.namespace)/secrets/\($1.rawValue)"]?["data"]
        }
    }

    @Test("lose nothing, make no CA a second time, and are told", arguments: 1...8 as ClosedRange<UInt64>)
    func survives(number: UInt64) async throws {
        let (seed, garden) = (FaultyAPI(.down, seed: number), FaultyAPI(.down))
        let work = try Works.work(seed.api, try Works.configuration(), seed: seed.hasty, garden: garden.hasty)
        var outcome = await run(work, from: FlowRecords())
        #expect(outcome.errors.map(\.code) == [.api] && outcome.errors.first?.task == TaskName.namespace)
        #expect(outcome.errors.first?.description.contains("nobody is there") == true)
        seed.begin(.bad)
        var (made, passes): ([String: JSONValue], Int) = ([:], 0)
        repeat {
            outcome = await run(work, from: outcome.records)
            let now = authorities(seed, work)
            for (name, data) in made { #expect(now[name] == data, "\(name) was made twice") }
            (made, passes) = (now, passes + 1)
        } while !outcome.errors.isEmpty && passes < 200
        #expect(outcome.errors.isEmpty, "\(outcome.errors)")
        #expect(made.count == Authority.allCases.count)
        // Whoever remembers nothing of it finds all of it.
        seed.begin(.good)
        let again = await run(work, from: FlowRecords(), isThorough: true)
        #expect(again.errors.isEmpty && authorities(seed, work) == made)
        for name in [TaskName.authorities, TaskName.certificates] {
            #expect(again.records[name] == outcome.records[name], "\(name)")
        }
    }

    @Test("A namespace that somebody else has made gets nothing of a shoot's, nor one that is still going")
    func foreignNamespace() async throws {
        let seed = FaultyAPI(.good)
        let work = try Works.work(seed.api, try Works.configuration(), seed: seed.hasty) { $0.metadata.uid = "u2" }
        let path = "/api/v1/namespaces/\(work.namespace)"
        let labels: JSONValue = ["tendril.dev/shoot": "one", "tendril.dev/project": "demo"]
        let foreign: [(JSONValue, ShootStatus.ErrorCode)] = [
            (["name": .string(work.namespace)], .configuration),
            (["labels": ["tendril.dev/shoot": "one", "tendril.dev/project": "other"]], .configuration),
            (["labels": labels, "annotations": [Ownership.shootUID: "u1"]], .configuration),
            (["labels": labels, "annotations": [Ownership.shootUID: ""]], .configuration),
            (["labels": labels, "deletionTimestamp": "2026-01-01T00:00:00Z"], .cleanUp),
        ]
        for (metadata, code) in foreign {
            seed.api[path] = ["metadata": metadata]
            let outcome = await run(work, from: FlowRecords())
            #expect(outcome.errors.map(\.code) == [code] && outcome.errors.map(\.task) == [TaskName.namespace])
            #expect(seed.api.bodies("PATCH \(path)").isEmpty && seed.api.bodies("POST \(path)").isEmpty)
        }
        // What an earlier release has made is ours, and says so from then on.
        seed.api[path] = ["metadata": ["labels": labels]]
        #expect(await run(work, from: FlowRecords()).errors.isEmpty)
        #expect(seed.api[path]?["metadata"]?["annotations"]?[Ownership.shootUID] == "u2")
        #expect(await run(work, from: FlowRecords()).errors.isEmpty)
    }

    @Test("The namespace of an earlier shoot of the same name is told with the way out")
    func namesake() async throws {
        let seed = FaultyAPI(.good)
        let work = try Works.work(seed.api, try Works.configuration(), seed: seed.hasty) { $0.metadata.uid = "u2" }
        let path = "/api/v1/namespaces/\(work.namespace)"
        let labels: JSONValue = ["tendril.dev/shoot": "one", "tendril.dev/project": "demo"]
        seed.api[path] = ["metadata": ["labels": labels, "annotations": [Ownership.shootUID: "u1"]]]
        let told = await run(work, from: FlowRecords()).errors.first?.description ?? ""
        #expect(told.contains("kubectl annotate namespace shoot--demo--one tendril.dev/shoot-uid=u2 --overwrite"))
        seed.api[path] = ["metadata": ["labels": labels, "annotations": [Ownership.shootUID: "u2"]]]
        #expect(await run(work, from: FlowRecords()).errors.isEmpty)
    }
}
