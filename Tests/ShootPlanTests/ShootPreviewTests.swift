import ClusterModel
import ShootPlan
import TendrilCore
import Testing

@Suite("What a change would do")
struct ShootPreviewTests {
    private func lines(_ change: (inout Shoot) -> Void) throws -> [String] {
        ShootPreview(from: try Samples.shoot().spec, to: try Samples.shoot(change).spec).lines
    }

    @Test("nothing, where nothing changed")
    func nothing() throws { #expect(try lines { _ in } == ["nothing would change"]) }

    @Test("a new shoot is made as a whole")
    func new() throws {
        let lines = ShootPreview(from: nil, to: try Samples.shoot().spec).lines
        #expect(
            lines.count == 2 && lines[0].hasPrefix("control-plane: is made") && lines[1].contains("1 machines start")
        )
    }

    /// A change, and how each line about it begins.
    struct Case: Sendable {
        let change: @Sendable (inout Shoot) -> Void
        let lines: [String]

        init(_ change: @escaping @Sendable (inout Shoot) -> Void, _ lines: [String]) {
            (self.change, self.lines) = (change, lines)
        }
    }

    @Test(
        "what restarts, what is made anew, what ends",
        arguments: [
            Case(
                { $0.spec.kubernetes.version = "1.21.0" },
                ["control-plane: its pods roll", "pool worker: its kubelets restart"]
            ),
            Case({ $0.spec.workers[0].labels = ["a": "b"] }, ["pool worker: its kubelets restart"]),
            Case({ $0.spec.workers[0].machineType = "m" }, ["pool worker: new machines start from it"]),
            Case({ $0.spec.workers[0].maximum = 4 }, ["pool worker: its bound moves to 4"]),
            Case({ $0.spec.workers[0].minimum = 0 }, ["pool worker: up to 1 machines end"]),
            Case({ $0.spec.workers = [] }, ["pool worker: its machines end"]),
            Case(
                { $0.spec.vpn.lanes = 2 },
                ["control-plane: the pods of kube-apiserver roll", "pool worker: tendril-vpn restarts"]
            ),
            Case(
                { $0.spec.hibernation.enabled = true },
                ["control-plane: its pods end", "every pool: its machines end"]
            ),
            Case({ $0.spec.addons.dns = false }, ["kube-system: add-ons come or go"]),
            Case({ $0.spec.provider.infrastructure = ["x": "y"] }, ["infrastructure: is changed"]),
        ]
    )
    func consequences(_ example: Case) throws {
        let lines = try lines(example.change)
        #expect(lines.count == example.lines.count)
        for (line, start) in zip(lines, example.lines) { #expect(line.hasPrefix(start), "\(line)") }
    }
}
