import Glibc
import Logging
import Observability
import Testing

@Suite("A log whose reader takes nothing")
struct LogSinkTests {
    /// A pipe with a log on one end, and its reader on the other.
    private final class Pipe {
        let reader: CInt
        let writer: CInt
        let sink: LogSink
        let logger: Logger

        init() throws {
            var ends: [CInt] = [-1, -1]
            let result = pipe(&ends)
            try #require(result == 0)
            (reader, writer) = (ends[0], ends[1])
            let sink = LogSink(descriptor: ends[1])
            self.sink = sink
            logger = Logger(label: "a") { LogOutput(label: $0, level: .info, format: .text, sink: sink) }
        }

        deinit {
            close(reader)
            close(writer)
        }

        /// Everything that is there.
        func read() -> String {
            var bytes = [UInt8](repeating: 0, count: 1 << 20)
            let count = Glibc.read(reader, &bytes, bytes.count)
            return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
        }
    }

    @Test("holds nobody up, loses whole lines, and says with the next one how many")
    func losesLines() throws {
        let pipe = try Pipe()
        let words = String(repeating: "x", count: 1000)
        for _ in 0..<300 { pipe.logger.info("\(words)") }
        let lost = pipe.sink.lost
        #expect(lost > 0 && lost < 300)
        let lines = pipe.read().split(separator: "\n")
        #expect(UInt64(lines.count) + lost == 300 && lines.allSatisfy { $0.hasSuffix("a: \(words)") })
        pipe.logger.info("again", metadata: ["z": "1"])
        pipe.logger.info("and again")
        let next = pipe.read().split(separator: "\n")
        #expect(next.count == 2 && next[0].hasSuffix(" z=1 lines-lost=\(lost)"), "\(next)")
        #expect(next.last?.hasSuffix("a: and again") == true && pipe.sink.lost == lost, "\(next)")
    }

    @Test("gets what there is room for of a line that is longer than all room, and the next one as a line of its own")
    func cutsLines() throws {
        let pipe = try Pipe()
        pipe.logger.info("\(String(repeating: "x", count: 1 << 20))")
        #expect(pipe.sink.lost == 1)
        #expect(pipe.read().hasSuffix("xxx"))
        pipe.logger.info("again")
        let next = pipe.read()
        #expect(next.hasPrefix("\n2") && next.hasSuffix("a: again lines-lost=1\n"), "\(next)")
    }

    @Test("does not end the program by leaving")
    func readerLeaves() throws {
        var ends: [CInt] = [-1, -1]
        let result = pipe(&ends)
        try #require(result == 0)
        close(ends[0])
        defer { close(ends[1]) }
        let sink = LogSink(descriptor: ends[1])
        let logger = Logger(label: "a") { LogOutput(label: $0, level: .info, format: .text, sink: sink) }
        logger.info("nobody reads this")
        #expect(sink.lost == 1)
    }
}
