import ClusterModel
import Coordinator
import KubernetesClient
import LinuxSystem
import ShootPlan
import ShootSamples
import TendrilCore
import Testing

@Suite("Certificates and CAs of a shoot", .timeLimit(.minutes(10)))
struct CertificatesTests {
    private static let day: UInt64 = 86400

    private struct Silent: FlowObserver {
        func progressed(_ percent: Int, running: [String]) async {}
    }

    /// The part of a flow that makes credentials, so long after now.
    private func run(_ work: ShootWork, after seconds: UInt64, from records: FlowRecords) async -> FlowOutcome {
        let now = Clock.unixTime() + seconds
        let runner = FlowRunner(
            tasks: Works.beginnings + [AuthoritiesTask.make(work), CertificatesTask.make(work) { now }],
            observer: Silent(),
            save: { _ in },
            logger: Works.silent,
            slots: Slots(4),
            isThorough: false
        )
        return await runner.run(from: records)
    }

    private func digests(_ outcome: FlowOutcome) throws -> [String: String] {
        #expect(outcome.errors.isEmpty)
        return try outcome.records.output(TaskName.certificates, as: CertificatesTask.Output.self).digests
    }

    private func changed(_ one: [String: String], _ other: [String: String]) -> Set<String> {
        Set(one.keys.filter { one[$0] != other[$0] })
    }

    @Test("each leaf is issued anew after four fifths of its life, by itself; before that nothing is touched")
    func renewal() async throws {
        let work = try Works.work(MemoryAPI(), try Works.configuration())
        let first = await run(work, after: 0, from: FlowRecords())
        let leaves = try digests(first)
        let names = CredentialPlan.leaves(work.facts, Samples.addresses).map(\.name)
        #expect(Set(leaves.keys) == Set(names))
        #expect(await run(work, after: 19 * 3600, from: first.records).performed == 0)
        // People's are for a day, all others for ninety.
        let nextDay = await run(work, after: 20 * 3600, from: first.records)
        #expect(changed(leaves, try digests(nextDay)) == [LeafPlan.people])
        let later = await run(work, after: 71 * Self.day, from: first.records)
        #expect(changed(leaves, try digests(later)) == [LeafPlan.people])
        let due = await run(work, after: 72 * Self.day + 60, from: first.records)
        #expect(changed(leaves, try digests(due)) == Set(names))
        #expect(first.records["authorities"] == due.records["authorities"])
    }

    @Test("when its CAs end is known, and told a year before while nothing else is asked")
    func expiry() async throws {
        let work = try Works.work(MemoryAPI(), try Works.configuration()) { $0.spec.hibernation.enabled = true }
        let made = await run(work, after: 0, from: FlowRecords())
        let now = Clock.unixTime()
        var known = try made.records.output(TaskName.authorities, as: AuthoritiesTask.Output.self)
        let ends = try #require(known.ends)
        #expect(Set(ends.keys) == Set(Authority.allCases.map(\.rawValue)))
        #expect(ends.values.allSatisfy { $0 > now + 3649 * Self.day && $0 <= now + 3650 * Self.day })
        func conditions(_ records: FlowRecords) async -> [Condition] {
            await HealthCheck(work: work, records: records, board: WorkloadBoard(), isAsleep: true) { work.seed }
                .conditions()
        }
        #expect(await conditions(made.records).count == 4)
        known.ends?["ca-etcd"] = now + 364 * Self.day
        var old = made.records
        old.tasks[TaskName.authorities]?.output = try CanonicalJSON.value(known)
        #expect(await conditions(old).last?.message?.hasPrefix("the CAs ca-etcd end from ") == true)
        // A release that did not know it wrote nothing.
        known.ends = nil
        old.tasks[TaskName.authorities]?.output = try CanonicalJSON.value(known)
        #expect(await conditions(old).count == 4)
    }
}
