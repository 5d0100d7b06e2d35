import ClusterModel
import ShootPlan
import ShootSamples
import TendrilCore
import Testing

@Suite("Machines as people look at them")
struct MachineLineTests {
    private func node(_ name: String, _ conditions: JSONValue) throws -> Node {
        let text: JSONValue = [
            "metadata": [
                "name": .string(name), "labels": ["tendril.dev/pool": "worker"],
                "annotations": ["tendril.dev/applied-generation": "7"],
            ],
            "status": ["conditions": conditions, "nodeInfo": ["kubeletVersion": "v1.20.2"]],
        ]
        return try text.decoded(as: Node.self)
    }

    private func lease(_ machine: String, _ time: String) -> Lease {
        let spec = Lease.Spec(holderIdentity: machine, leaseDurationSeconds: 60, renewTime: time)
        return Lease(ObjectMetadata(name: "tendril-agent-\(machine)"), spec: spec)
    }

    @Test("Each says its worst problem, and nothing where all is well")
    func problems() throws {
        let ready: JSONValue = ["type": "Ready", "status": "True"]
        let refused: JSONValue = [
            "type": "TendrilAgentReady", "status": "False", "message": "generation 8 was taken back",
        ]
        let lost: JSONValue = ["type": "Ready", "status": "Unknown", "message": "Kubelet stopped posting node status."]
        var stuck = NodeBootstrap(name: "e", pool: "other")
        stuck.status = .init(phase: .trust)
        stuck.status?.error = "no route"
        let now = try #require(KubernetesTime.seconds("2026-01-01T00:02:00Z"))
        let lines = MachineLine.all(
            [
                try node("d", [ready]), try node("a", [ready]), try node("b", [ready, refused]),
                try node("c", [lost, refused]),
            ],
            [stuck, NodeBootstrap(name: "a", pool: "worker")],
            [
                lease("a", "2026-01-01T00:01:50.000000Z"), lease("d", "2026-01-01T00:00:30Z"),
                lease("b", "2027-01-01T00:00:00Z"),
            ],
            at: now
        )
        #expect(lines.map(\.name) == ["a", "b", "c", "d", "e"])
        #expect(
            lines.map(\.problem) == [
                nil, "generation 8 was taken back", "Kubelet stopped posting node status.",
                "nothing is heard of its agent",
                "not a node yet, trust: no route",
            ]
        )
        #expect(lines.map(\.agentSilence) == [10, 0, nil, 90, nil])
        #expect(lines.map(\.isReady) == [true, true, false, true, false])
        #expect(lines[0].generation == 7 && lines[0].pool == "worker" && lines[4].pool == "other")
    }

    @Test("A pool with fewer machines than its minimum has a line of its own, unless the shoot sleeps")
    func missing() throws {
        var shoot = try Samples.shoot { $0.spec.workers[0].minimum = 3 }
        let lines = MachineLine.missing(shoot, beside: [])
        #expect(lines.map(\.problem) == ["0 of 3 machines have come"] && lines.map(\.pool) == ["worker"])
        #expect(lines.map(\.isReady) == [false])
        shoot.spec.hibernation.enabled = true
        #expect(MachineLine.missing(shoot, beside: []).isEmpty)
    }

    @Test("A machine that was a node and is silent has ended; one that is heard of has lost its Node")
    func ended() throws {
        let now = try #require(KubernetesTime.seconds("2026-01-01T00:02:00Z"))
        let records = ["deleted", "ended", "never-heard", "young"].map { name in
            var record = NodeBootstrap(name: name, pool: "worker")
            record.status = .init(phase: name == "young" ? .trust : .done)
            return record
        }
        let leases = [lease("ended", "2026-01-01T00:00:30Z"), lease("deleted", "2026-01-01T00:01:50Z")]
        let lines = MachineLine.all([], records, leases, at: now)
        #expect(lines.map(\.name) == ["deleted", "young"])
        #expect(lines.map(\.problem) == ["its Node was deleted", "not a node yet, trust"])
    }
}
