import ClusterModel
import ShootPlan
import TendrilCore
import Testing

@Suite("Seeds that are not heard of")
struct SeedPulseTests {
    private func seed(_ name: String, _ stamp: String?) throws -> Seed {
        var status: [String: JSONValue] = ["shoots": 0]
        if let stamp {
            status["conditions"] = [["type": "Ready", "status": "True", "lastHeartbeatTime": .string(stamp)]]
        }
        let networks: JSONValue = ["pods": "10.0.0.0/16", "services": "10.1.0.0/16", "nodes": "10.2.0.0/16"]
        let text: JSONValue = [
            "metadata": ["name": .string(name)], "status": .object(status),
            "spec": [
                "networks": networks, "exposure": ["type": "NodePort"], "capacity": 1, "unschedulable": false,
            ],
        ]
        return try text.decoded(as: Seed.self)
    }

    private func time(_ seconds: UInt64) -> MonotonicTime { MonotonicTime(nanoseconds: seconds * 1_000_000_000) }

    @Test("One that goes on writing is well, whatever its clock says; one that stops is silent after its time")
    func beats() throws {
        var pulse = SeedPulse()
        for second in stride(from: UInt64(0), to: 300, by: 30) {
            let silent = pulse.silent(
                [try seed("a", "1970-01-01T00:00:\(second)Z"), try seed("b", "x")],
                at: time(second)
            )
            #expect(silent == (second > 90 ? ["b"] : []), "\(second)")
        }
        #expect(pulse.silent([try seed("b", "y")], at: time(300)).isEmpty)
    }

    @Test("Time counts from when it is first looked at, and what is gone is forgotten")
    func beginnings() throws {
        var pulse = SeedPulse()
        for second in stride(from: UInt64(1000), through: 1090, by: 30) {
            #expect(pulse.silent([try seed("a", nil)], at: time(second)).isEmpty)
        }
        #expect(pulse.silent([try seed("a", nil)], at: time(1091)) == ["a"])
        #expect(pulse.silent([], at: time(1092)).isEmpty)
        #expect(pulse.silent([try seed("a", nil)], at: time(1100)).isEmpty)
    }

    @Test("A garden that was away, so that nobody could write, makes nobody silent")
    func away() throws {
        var pulse = SeedPulse()
        #expect(pulse.silent([try seed("a", "x")], at: time(0)).isEmpty)
        #expect(pulse.silent([try seed("a", "x")], at: time(500)).isEmpty)
        #expect(pulse.silent([try seed("a", "x")], at: time(550)).isEmpty)
    }
}
