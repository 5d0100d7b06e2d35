import TendrilCore
import Testing

@Suite("Moments as texts")
struct UTCTests {
    @Test(
        "are dates of the Gregorian calendar, to the end of the year 9999",
        arguments: [
            (0, "1970-01-01T00:00:00"), (951_782_399, "2000-02-28T23:59:59"), (951_782_400, "2000-02-29T00:00:00"),
            (4_107_542_400, "2100-03-01T00:00:00"), (253_402_300_799, "9999-12-31T23:59:59"),
            (.max, "9999-12-31T23:59:59"),
        ] as [(UInt64, String)]
    )
    func dates(_ moment: UInt64, _ text: String) {
        #expect(UTC.dateAndTime(moment) == text)
    }

    @Test("Numbers have zeros before them, and lose no digit")
    func digits() {
        #expect(7.digits(2) == "07" && 123.digits(2) == "123" && 0.digits(1) == "0")
        #expect(0o755.digits(6, radix: 8) == "000755" && UInt16(0xAB).digits(4, radix: 16) == "00ab")
    }
}
