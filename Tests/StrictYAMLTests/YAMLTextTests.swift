import ClusterModel
import StrictYAML
import TendrilCore
import TestSupport
import Testing

@Suite("YAML for people")
struct YAMLTextTests {
    @Test("is laid out in blocks")
    func blocks() throws {
        let value: JSONValue = [
            "a": "text", "b": [1, true, "two words", []], "c": ["d": ["e": "x", "f": .null], "g": [:]],
            "h": [["i": "1", "j": "no"], ["k": [["l"]]]],
        ]
        #expect(
            try YAMLText.text(value) == """
                a: text
                b:
                  - 1
                  - true
                  - "two words"
                  - []
                c:
                  d:
                    e: x
                    f: null
                  g: {}
                h:
                  - i: "1"
                    j: "no"
                  - k:
                      - - l

                """
        )
    }

    /// A value of any shape, with texts that readers like to take for something else.
    private func value(_ depth: Int, _ generator: inout SeededGenerator) -> JSONValue {
        let texts = [
            "", "a", "yes", "1", "1.5", "null", "~", "- a", "a: b", "#c", "\n", " x", "x ", "é", "a/b", "0x1", "@", "{",
            "*a",
        ]
        func text() -> String { texts[Int.random(in: 0..<texts.count, using: &generator)] }
        switch Int.random(in: 0..<(depth > 3 ? 4 : 6), using: &generator) {
        case 0: return .integer(Int.random(in: -9...9, using: &generator))
        case 1: return .bool(Bool.random(using: &generator))
        case 2: return .null
        case 3: return .string(text())
        case 4: return .array((0..<Int.random(in: 0...3, using: &generator)).map { _ in value(depth + 1, &generator) })
        default:
            var fields: [String: JSONValue] = [:]
            for _ in 0..<Int.random(in: 0...3, using: &generator) { fields[text()] = value(depth + 1, &generator) }
            return .object(fields)
        }
    }

    @Test("is read as what was written", arguments: 0..<500)
    func roundTrip(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let value = value(0, &generator)
        let text = try YAMLText.text(value)
        #expect(try YAMLParser.parse(Array(text.utf8)).json == value, "\(text)")
    }
}
