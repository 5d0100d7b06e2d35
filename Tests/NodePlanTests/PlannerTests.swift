import NodePlan
import TendrilCore
import Testing

@Suite("When units are started")
struct PlannerTests {
    /// A unit that is wanted, what is known of it, and what is done.
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var name = "a.service"
        var content: String? = "[Service]\nType=oneshot\nExecStart=/bin/a\n"
        var state = NodeConfiguration.UnitState.started
        var isActive = false
        var isChanged = false
        var isOwed = false
        var hasFinished = true
        let steps: [Step]
    }

    static let cases = [
        Case(testDescription: "one that ends is left alone once it has ended", steps: []),
        Case(testDescription: "and while it runs", isActive: true, hasFinished: false, steps: []),
        Case(testDescription: "it is started when it is new", hasFinished: false, steps: [.start("a.service")]),
        Case(testDescription: "or changed", isChanged: true, steps: [.start("a.service")]),
        Case(testDescription: "or could not be started", isOwed: true, steps: [.start("a.service")]),
        Case(
            testDescription: "it is not started where it is not to be",
            state: .untouched,
            hasFinished: false,
            steps: []
        ),
        Case(
            testDescription: "settings are read as systemd does",
            content: "[Service]\nType=simple\n# Type=simple\nType = oneshot\nRemainAfterExit=no\n",
            steps: []
        ),
        Case(
            testDescription: "one that stays active afterwards is started while it is not",
            content: "[Service]\nType=oneshot\nRemainAfterExit=yes\n",
            steps: [.start("a.service")]
        ),
        Case(
            testDescription: "one that does not end is started while it does not run",
            content: "[Service]\nType=exec\n",
            steps: [.start("a.service")]
        ),
        Case(testDescription: "so is one of the system's", content: nil, steps: [.start("a.service")]),
        Case(testDescription: "a timer of the system's", name: "a.timer", content: nil, steps: [.start("a.timer")]),
        Case(
            testDescription: "and a timer of its own",
            name: "a.timer",
            content: "[Timer]\nOnCalendar=daily\n",
            steps: [.start("a.timer")]
        ),
    ]

    @Test("One-shot units run once, all others always", arguments: cases)
    func starts(_ wanted: Case) throws {
        var spec = NodeConfiguration.Spec()
        spec.units = [.init(name: wanted.name, content: wanted.content, state: wanted.state)]
        let desired = try DesiredNode(
            NodeConfiguration(pool: "worker", generation: 1, spec: spec),
            on: HostFacts(nodeName: "n", hierarchy: .v2),
            secrets: [:]
        ) { String(decoding: $0, as: UTF8.self) }
        let files = desired.files.mapValues {
            ObservedFile.file(digest: $0.digest, mode: wanted.isChanged ? 0 : $0.mode)
        }
        let observed = ObservedNode(
            files: files,
            units: [wanted.name: ObservedUnit(isActive: wanted.isActive, isEnabled: true)]
        )
        var manifest = Manifest()
        for path in files.keys { manifest.files[path] = .absent }
        if wanted.isOwed { manifest.owedRestarts = [wanted.name] }
        if wanted.hasFinished { manifest.finished = [wanted.name] }
        let plan = try Planner.plan(to: desired, from: observed, manifest: manifest)
        let steps = plan.steps.filter { step in
            switch step {
            case .write, .reloadUnits: false
            default: true
            }
        }
        #expect(steps == wanted.steps)
        let next = try Planner.plan(
            to: desired,
            from: ObservedNode(
                files: desired.files.mapValues { .file(digest: $0.digest, mode: $0.mode) },
                units: observed.units
            ),
            manifest: plan.behind
        )
        let runsOnce = desired.units.contains { $0.isForgotten }
        #expect(next.isEmpty == (runsOnce || wanted.steps.isEmpty), "the pass after it")
    }

    /// What enabling a unit comes to, whether it is enabled, what is wanted, whether something is done, and once more.
    static let enablings: [(ObservedUnit.Enabling, Bool, Bool, Bool, Bool)] = [
        (.told, false, true, true, true), (.told, true, true, false, false), (.told, true, false, true, true),
        (.told, false, false, false, false), (.untold, false, true, true, false), (.untold, false, false, false, false),
        (.none, true, true, false, false), (.none, true, false, false, false), (.none, false, true, false, false),
    ]

    @Test("Units are enabled and disabled until systemd says so; where it does not tell, they are enabled once")
    func enables() throws {
        for (enabling, isEnabled, isWanted, isDone, isDoneAgain) in Self.enablings {
            var spec = NodeConfiguration.Spec()
            spec.units = [.init(name: "a.service", enabled: isWanted, state: .untouched)]
            let desired = try DesiredNode(
                NodeConfiguration(pool: "worker", generation: 1, spec: spec),
                on: HostFacts(nodeName: "n", hierarchy: .v2),
                secrets: [:]
            ) { String(decoding: $0, as: UTF8.self) }
            let unit = ObservedUnit(isActive: true, isEnabled: isEnabled, enabling: enabling)
            let observed = ObservedNode(files: [:], units: ["a.service": unit])
            let steps: [Step] = [isWanted ? .enable("a.service") : .disable("a.service")]
            let plan = try Planner.plan(to: desired, from: observed, manifest: Manifest())
            let place = "\(enabling), enabled: \(isEnabled), wanted: \(isWanted)"
            #expect(plan.steps == (isDone ? steps : []), "\(place)")
            let afterStop = try Planner.plan(to: desired, from: observed, manifest: plan.ahead)
            #expect(afterStop.steps == plan.steps, "\(place), after a stop before the first step")
            let next = try Planner.plan(to: desired, from: observed, manifest: plan.behind)
            #expect(next.steps == (isDoneAgain ? steps : []), "\(place), in the pass after it")
            #expect(next.isEmpty == !isDoneAgain, "\(place), in the pass after it")
        }
    }
}
