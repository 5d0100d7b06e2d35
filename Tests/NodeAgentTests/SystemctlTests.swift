import LinuxSystem
import NodeAgent
import NodePlan
import TestSupport
import Testing

@Suite("What systemd answers")
struct SystemctlTests {
    /// A program in the place of systemctl: what it does with a version, with other look-ups, and with changes.
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var version = "true"
        var lookUp = "true"
        var change = "true"
        let observing: AgentFailure.Cause?
        let changing: AgentFailure.Cause?
    }

    static let cases = [
        Case(testDescription: "all is well", observing: nil, changing: nil),
        Case(testDescription: "a look-up is slow", lookUp: "sleep 30", observing: .systemd, changing: nil),
        Case(testDescription: "a look-up is refused", lookUp: "exit 1", observing: .unit, changing: nil),
        Case(testDescription: "a change is slow", change: "sleep 30", observing: nil, changing: .unit),
        Case(testDescription: "a change is refused", change: "exit 1", observing: nil, changing: .unit),
        Case(
            testDescription: "nothing is answered",
            version: "sleep 30",
            lookUp: "sleep 30",
            change: "sleep 30",
            observing: .systemd,
            changing: .systemd
        ),
        Case(
            testDescription: "all is refused",
            version: "exit 1",
            lookUp: "exit 1",
            change: "exit 1",
            observing: .systemd,
            changing: .systemd
        ),
    ]

    @Test("Only what a unit does not do is the unit's fault", arguments: cases)
    func causes(_ given: Case) throws {
        let directory = try TestDirectory()
        let script = """
            #!/bin/sh
            case "$1 $2" in
            "show --property=Version") \(given.version) ;;
            show*|reset-failed*) \(given.lookUp) ;;
            *) \(given.change) ;;
            esac
            """
        try DurableFile.write(Array((script + "\n").utf8), to: "\(directory.path)/systemctl", mode: 0o700)
        let units = Systemctl(timeoutSeconds: 2, answerSeconds: 1, program: "\(directory.path)/systemctl")
        #expect(cause { _ = try units.observe(["a.service"]) } == given.observing)
        #expect(cause { try units.reload() } == given.changing)
    }

    @Test(
        "How a unit's file is called says what enabling it comes to",
        arguments: [
            ("enabled", true, .told), ("enabled-runtime", true, .told), ("disabled", false, .told), ("", false, .told),
            ("masked", false, .told), ("indirect", false, .untold), ("linked", false, .untold),
            ("linked-runtime", false, .untold), ("static", true, .none), ("alias", true, .none),
            ("generated", true, .none), ("transient", false, .none),
        ] as [(String, Bool, ObservedUnit.Enabling)]
    )
    func enabling(file: String, isEnabled: Bool, enabling: ObservedUnit.Enabling) {
        let observed = UnitReport(load: "loaded", active: "active", sub: "running", file: file).observed
        #expect(observed == ObservedUnit(isActive: true, isEnabled: isEnabled, enabling: enabling))
    }

    private func cause(_ body: () throws -> Void) -> AgentFailure.Cause? {
        do {
            try body()
            return nil
        } catch {
            return (error as? AgentFailure)?.cause
        }
    }
}
