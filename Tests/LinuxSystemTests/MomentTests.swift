import LinuxSystem
import Testing

@Suite("Moments on a clock that is set")
struct MomentTests {
    private static func moment(_ unixTime: UInt64, _ seconds: UInt64, boot: String = "a") -> Moment {
        Moment(unixTime: unixTime, boot: boot, nanoseconds: seconds * 1_000_000_000)
    }

    @Test("are never later than the clock says of what came after them, however it was set")
    func earliest() {
        let then = Self.moment(10_000, 100)
        let cases: [(String, Moment, UInt64)] = [
            ("the clock was left alone", Self.moment(10_060, 160), 10_000),
            ("it was set back by an hour", Self.moment(6_460, 160), 6_400),
            ("it was set forwards by an hour", Self.moment(13_660, 160), 10_000),
            ("another boot", Self.moment(10_500, 30, boot: "b"), 10_000),
            ("another boot, with a clock that is right at last", Self.moment(3_030, 30, boot: "b"), 3_000),
            ("a boot that nobody names", Self.moment(9_000, 40, boot: ""), 8_960),
            ("a clock before its own boot", Self.moment(5, 160), 0),
            ("a moment that lies ahead", Self.moment(9_990, 90), 9_990),
        ]
        for (name, now, expected) in cases { #expect(then.earliest(asOf: now) == expected, "\(name)") }
    }

    @Test("are read from the kernel's clocks")
    func now() {
        let first = Moment.now()
        let second = Moment.now()
        #expect(!first.boot.isEmpty && first.boot == second.boot)
        #expect(first.nanoseconds > 0 && second.nanoseconds >= first.nanoseconds)
        #expect(first.earliest() <= first.unixTime)
    }
}
