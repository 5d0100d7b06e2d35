import TendrilCore
import Testing
import TunnelDaemon

@Suite("The daemon's pulse")
struct PulseTests {
    @Test("is steady for ten seconds after it was felt, from the start on, and again once it is felt again")
    func steadiness() {
        func time(_ milliseconds: UInt64) -> MonotonicTime { MonotonicTime(nanoseconds: milliseconds * 1_000_000) }
        let pulse = Pulse(at: time(5_000))
        #expect(pulse.isSteady(at: time(4_000)) && pulse.isSteady(at: time(14_999)))
        #expect(!pulse.isSteady(at: time(15_000)) && !pulse.isSteady(at: time(60_000)))
        pulse.beat(at: time(60_000))
        #expect(pulse.isSteady(at: time(60_000)) && pulse.isSteady(at: time(69_999)))
        #expect(!pulse.isSteady(at: time(70_000)))
    }
}
