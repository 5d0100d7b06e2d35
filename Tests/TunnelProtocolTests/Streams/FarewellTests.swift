import TendrilCore
import Testing
import TunnelProtocol

@Suite("A stream whose caller has left")
struct FarewellTests {
    private func time(_ seconds: UInt64) -> MonotonicTime { MonotonicTime(nanoseconds: seconds * 1_000_000_000) }

    @Test("goes on while what was said arrives, and ends ten seconds after nothing does")
    func ends() throws {
        var machine = StreamMachine(limit: 1000, at: time(0))
        machine.take(300)
        machine.end()
        machine.sent(300)
        var farewell = Farewell(of: machine, at: time(0))
        for moment in stride(from: 9 as UInt64, through: 27, by: 9) {
            _ = try machine.credit(received: moment * 10, limit: 1000)
            let isOver = farewell.isOver(for: machine, at: time(moment))
            #expect(!isOver, "\(moment)")
        }
        let (early, late) = (farewell.isOver(for: machine, at: time(36)), farewell.isOver(for: machine, at: time(37)))
        #expect(!early && late)
    }
}
