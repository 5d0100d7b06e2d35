import ClusterModel
import Coordinator
import HTTPModel
import KubernetesClient
import LinuxSystem
import ShootPlan
import TendrilCore
import Testing

@Suite("A flow", .timeLimit(.minutes(10)))
struct FlowRunnerTests {
    /// Fails as often as it is told to, and then succeeds.
    private final class Flaky: Sendable {
        private let state: Guarded<(failures: [any Error], calls: Int)>

        init(_ failures: [any Error] = []) { state = Guarded((failures, 0)) }

        var calls: Int { state.withLock(\.calls) }

        func call() throws -> JSONValue {
            let failure = state.withLock { state in
                state.calls += 1
                return state.failures.isEmpty ? nil : state.failures.removeFirst()
            }
            if let failure { throw failure }
            return ["calls": .integer(calls)]
        }
    }

    private struct Unobserved: FlowObserver {
        func progressed(_ percent: Int, running: [String]) async {}
    }

    private static func task(_ name: String, after: [String] = [], inputs: JSONValue = [:], _ flaky: Flaky) -> ShootTask
    {
        ShootTask(
            name: name,
            title: name,
            after: after,
            inputs: { _ in inputs },
            perform: { _ in try flaky.call() }
        )
    }

    private static func runner(
        _ tasks: [ShootTask],
        isThorough: Bool = false,
        save: @escaping @Sendable (FlowRecords) async throws -> Void = { _ in }
    ) -> FlowRunner {
        FlowRunner(
            tasks: tasks,
            observer: Unobserved(),
            save: save,
            logger: Works.silent,
            slots: Slots(4),
            isThorough: isThorough,
            pauses: Backoff(start: .milliseconds(1), limit: .milliseconds(2))
        )
    }

    private static func refusal(_ code: Int, retryAfter: Int? = nil) -> APIError {
        .status(code: code, request: "PUT /x", APIStatus(), retryAfter: retryAfter)
    }

    @Test("a task that an API refuses for a moment is tried again, alone")
    func retries() async {
        let (flaky, other) = (Flaky([Self.refusal(503), Self.refusal(429), Self.refusal(500)]), Flaky())
        let outcome = await Self.runner([Self.task("other", other), Self.task("a", after: ["other"], flaky)])
            .run(from: FlowRecords())
        #expect(outcome.errors.isEmpty && outcome.performed == 2)
        #expect(flaky.calls == 4 && other.calls == 1)
        #expect(outcome.records["a"] == ["calls": 4])
    }

    @Test("one that fails keeps how far it came, with what was found done and what goes on beside")
    func progress() async {
        let failing = Flaky([TaskFailure(.configuration, "no")])
        let tasks = [
            Self.task("found", Flaky()), Self.task("a", after: ["found"], failing), Self.task("b", Flaky()),
            Self.task("c", after: ["a"], Flaky()),
        ]
        let before = await Self.runner([Self.task("found", Flaky())]).run(from: FlowRecords())
        #expect(before.progress == 100)
        #expect(await Self.runner(tasks).run(from: before.records).progress == 50)
    }

    @Test("not for ever, and not at once where the API says how long to wait")
    func bounds() async {
        let flaky = Flaky((0..<9).map { _ in Self.refusal(503) })
        let outcome = await Self.runner([Self.task("a", flaky)]).run(from: FlowRecords())
        #expect(flaky.calls == 4 && outcome.errors.map(\.code) == [.api] && outcome.records["a"] == nil)
        let start = Clock.now()
        _ = await Self.runner([Self.task("a", Flaky([Self.refusal(429, retryAfter: 1)]))]).run(from: FlowRecords())
        #expect(Clock.now().since(start) >= Nanoseconds.seconds(1))
    }

    @Test(
        "what waiting does not mend is told at once",
        arguments: [(refusal(409), .api), (refusal(403), .api), (TaskFailure(.quota, "full"), .quota)]
            as [(any Error, ShootStatus.ErrorCode)]
    )
    func lasting(_ error: any Error, _ code: ShootStatus.ErrorCode) async {
        let flaky = Flaky([error])
        let outcome = await Self.runner([Self.task("a", flaky)]).run(from: FlowRecords())
        #expect(flaky.calls == 1 && outcome.errors.map(\.code) == [code])
    }

    @Test("what needs a task that failed is left, and all the others are done")
    func independence() async {
        let (failing, after, beside) = (Flaky([TaskFailure(.unknown, "x")]), Flaky(), Flaky())
        let tasks = [
            Self.task("failing", failing), Self.task("after", after: ["failing"], after), Self.task("beside", beside),
        ]
        let outcome = await Self.runner(tasks).run(from: FlowRecords())
        #expect(after.calls == 0 && beside.calls == 1 && outcome.errors.map(\.task) == ["failing"])
        #expect(outcome.records["beside"] != nil && outcome.records["after"] == nil)
    }

    @Test("what was done with the same inputs is found done, unless all is to be done again")
    func found() async throws {
        let (one, other) = (Flaky(), Flaky())
        func tasks(_ inputs: JSONValue) -> [ShootTask] {
            [Self.task("one", inputs: ["x": 1], one), Self.task("other", inputs: inputs, other)]
        }
        let first = await Self.runner(tasks(["y": 1])).run(from: FlowRecords())
        let second = await Self.runner(tasks(["y": 1])).run(from: first.records)
        #expect(second.performed == 0 && second.records == first.records)
        let third = await Self.runner(tasks(["y": 2])).run(from: second.records)
        #expect(third.performed == 1 && one.calls == 1 && other.calls == 2)
        _ = await Self.runner(tasks(["y": 2]), isThorough: true).run(from: third.records)
        #expect(one.calls == 2 && other.calls == 3)
    }

    @Test("before something is changed it is written down that it is not as it was; afterwards, that it is done")
    func writtenAhead() async throws {
        let seen = Guarded<[String?]>([])
        @Sendable func note(_ records: FlowRecords) { seen.withLock { $0.append(records.tasks["a"]?.inputs) } }
        let first = await Self.runner([Self.task("a", inputs: ["x": 1], Flaky())]).run(from: FlowRecords())
        let failing = Self.task("a", inputs: ["x": 2], Flaky([TaskFailure(.unknown, "half-way")]))
        let half = await Self.runner([failing]) { note($0) }.run(from: first.records)
        #expect(seen.withLock { $0 } == [""])
        // Going back to what was there is work, too.
        let back = await Self.runner([Self.task("a", inputs: ["x": 1], Flaky())]) { note($0) }.run(from: half.records)
        #expect(back.performed == 1 && seen.withLock { $0.last } == first.records.tasks["a"]?.inputs)
    }

    @Test("what fails is written down as not done, also where nothing has changed, and is done by who starts anew")
    func failedUnchanged() async {
        func task(_ flaky: Flaky) -> ShootTask { Self.task("a", inputs: ["x": 1], flaky) }
        let seen = Guarded<[FlowRecords]>([])
        let first = await Self.runner([task(Flaky())]).run(from: FlowRecords())
        let failing = Self.runner([task(Flaky([TaskFailure(.unknown, "gone")]))], isThorough: true) { records in
            seen.withLock { $0.append(records) }
        }
        let failed = await failing.run(from: first.records)
        #expect(failed.errors.count == 1 && !failed.records.isWhole && failed.records["a"] == first.records["a"])
        #expect(seen.withLock { $0 } == [failed.records])
        let after = await Self.runner([task(Flaky())]).run(from: failed.records)
        #expect(after.performed == 1 && after.records == first.records)
    }

    @Test("one that is interrupted begins nothing more and tries nothing again")
    func cancellation() async {
        let (flaky, next) = (Flaky((0..<9).map { _ in Self.refusal(503) }), Flaky())
        var runner = Self.runner([Self.task("a", flaky), Self.task("b", after: ["a"], next)])
        runner.pauses = Backoff(start: .seconds(30), limit: .seconds(30))
        let patient = runner
        let flow = Task { await patient.run(from: FlowRecords()) }
        while flaky.calls == 0 { await Task.yield() }
        flow.cancel()
        let outcome = await flow.value
        #expect(flaky.calls <= 2 && next.calls == 0 && outcome.errors.count == 1)
    }
}
