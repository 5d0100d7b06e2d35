import ClusterModel
import TendrilCore
import Testing

@Suite("Lease machine")
struct LeaseMachineTests {
    private func at(_ seconds: UInt64) -> MonotonicTime { MonotonicTime(nanoseconds: seconds * 1_000_000_000) }

    @Test("takes a Lease that nobody holds, and renews its own")
    func takes() {
        var machine = LeaseMachine(identity: "a")
        #expect(machine.read(holder: nil, version: "", now: at(1)) == .write)
        #expect(machine.read(holder: "", version: "1", now: at(1)) == .write)
        #expect(machine.deadline == nil)
        machine.wrote(begun: at(2))
        #expect(machine.deadline == at(2) + LeaseMachine.patience)
        #expect(machine.read(holder: "a", version: "2", now: at(4)) == .write)
    }

    @Test("leaves another's Lease alone for as long as that renews it")
    func waits() {
        var machine = LeaseMachine(identity: "a")
        for second in UInt64(0)..<100 {
            #expect(machine.read(holder: "b", version: "\(second / 5)", now: at(second)) == .wait)
        }
    }

    @Test("takes another's Lease only after it stood still for its whole duration before these eyes")
    func takesOver() {
        var machine = LeaseMachine(identity: "a")
        for second in UInt64(100)..<115 { #expect(machine.read(holder: "b", version: "7", now: at(second)) == .wait) }
        #expect(machine.read(holder: "b", version: "7", now: at(115)) == .write)
        #expect(machine.read(holder: "b", version: "8", now: at(116)) == .wait)
    }

    @Test("a leader stops before anybody else can begin")
    func stopsFirst() {
        #expect(LeaseMachine.patience.value + 2 * LeaseMachine.period.value < LeaseMachine.duration.value)
    }
}
