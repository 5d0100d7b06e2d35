internal import ClusterModel
internal import ShootPlan
internal import TendrilCore

/// Remembers of a shoot's pools how many machines each has while one more than before helps to replace the others.
struct SurgeNotes {
    private static let key = "pools.json"

    private let notebook: Notebook
    private let pools: Set<String>

    init(_ work: ShootWork) {
        notebook = Notebook(seed: work.seed, namespace: work.namespace, name: "tendril-surges")
        pools = Set(work.facts.spec.workers.map(\.name))
    }

    /// How many a pool has for a while; `nil` where nothing is left to be taken back.
    func read(_ pool: Shoot.Worker) async throws -> Int? { try await all()[pool.name] }

    /// Notes how many a pool is to have for a while; `nil` where that is over.
    func write(_ count: Int?, for pool: Shoot.Worker) async throws {
        var counts = try await all()
        guard counts[pool.name] != count else { return }
        counts[pool.name] = count
        try await write(counts)
    }

    /// Forgets all of them: there are no machines any more.
    func clear() async throws {
        if try await !all().isEmpty { try await write([:]) }
    }

    private func all() async throws -> [String: Int] {
        try await notebook.read().entry(Self.key, as: [String: Int].self)?.filter { pools.contains($0.key) } ?? [:]
    }

    private func write(_ counts: [String: Int]) async throws {
        try await notebook.write([Self.key: .object(counts.mapValues { .integer($0) })])
    }
}
