import Logging
import Observability
import Testing

@Suite("The log")
struct LogTests {
    private func line(_ format: LogFormat) throws -> String {
        let recent = RecentLines()
        var logger = Logger(label: "a") { LogOutput(label: $0, level: .info, format: format, recent: recent) }
        logger[metadataKey: "b"] = "c"
        logger.debug("nobody sees this")
        logger.warning("a \"test\"\nof lines", metadata: ["x": "1 2", "y": "\u{1B}[1m"])
        try #require(recent.lines.count == 1)
        return recent.lines[0]
    }

    @Test("has one line for each message, whatever that holds, as text")
    func text() throws {
        let line = try line(.text)
        #expect(line.hasSuffix(#" b=c x="1 2" y="\u001b[1m""#) && line.contains(" WARNING a: a"), "\(line)")
    }

    @Test("and as JSON")
    func json() throws {
        let line = try line(.json)
        let expected =
            #""level":"warning","program":"a","message":"a \"test\"\nof lines","b":"c","x":"1 2","y":"\u001b[1m"}"#
        #expect(line.hasPrefix(#"{"time":"20"#) && line.hasSuffix(expected), "\(line)")
    }

    @Test("remembers its last two hundred lines for whoever asks, the oldest first")
    func recent() {
        let recent = RecentLines()
        for number in 0..<450 { recent.add("\(number)") }
        #expect(recent.lines == (250..<450).map { "\($0)" })
    }
}
