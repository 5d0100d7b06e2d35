import StrictYAML
import TendrilCore
import Testing

@Suite("Strict YAML")
struct YAMLParserTests {
    @Test("reads mappings, lists and scalars, and JSON too")
    func reads() throws {
        let block = try YAMLParser.parse(Array("a: 1\nb:\n  - x\n  - 'y'\nc: {d: null}\n".utf8))
        let json = try YAMLParser.parse(Array(#"{"a": 1, "b": ["x", "y"], "c": {"d": null}}"#.utf8))
        guard case .mapping(let one) = block.content, case .mapping(let two) = json.content else {
            Issue.record("no mapping")
            return
        }
        #expect(one.map(\.key) == ["a", "b", "c"] && two.map(\.key) == ["a", "b", "c"])
        #expect(one[1].line == 2 && one[1].value.line == 3)
    }

    @Test(
        "refuses what makes a file mean more than it says",
        arguments: [
            "", "a: 1\na: 2\n", "a: &x 1\nb: *x\n", "a: !!int 1\n", "a: 1\n---\nb: 2\n", "a: [1\n", "? [a]\n: b\n",
            "\u{0}",
            "a: \"\\x\"", String(repeating: "[", count: 100) + String(repeating: "]", count: 100),
        ]
    )
    func refuses(text: String) {
        #expect(throws: YAMLError.self) { try YAMLParser.parse(Array(text.utf8)) }
    }

    @Test(
        "takes a plain scalar for what everybody takes it for",
        arguments: [
            ("0", JSONValue.integer(0)), ("-7", .integer(-7)), ("0.9", .number(0.9)), ("-0.5", .number(-0.5)),
            ("1.5", .number(1.5)), ("1e3", .number(1000)), ("0644", .string("0644")), ("0e5", .string("0e5")),
            ("00", .string("00")), ("1.20.2", .string("1.20.2")), ("true", .bool(true)), ("~", .null),
            ("-", .string("-")),
        ]
    )
    func scalars(_ text: String, _ value: JSONValue) throws {
        #expect(try YAMLParser.parse(Array("a: [\(text)]".utf8)).json["a"] == .array([value]))
    }

    @Test("names the lines of problems, where there are such pieces")
    func lines() throws {
        let node = try YAMLParser.parse(Array("a:\n\n  # what b is\n  b:\n  - c: 1\n    d: 2\n".utf8))
        let problems = ["a", "a.b", "a.b[0]", "a.b[0].d", "a.b[1]", "a.x"].map { ConfigurationProblem($0, "is wrong") }
        #expect(
            node.locating(problems).map(\.description) == [
                "a: is wrong (line 1)", "a.b: is wrong (line 4)", "a.b[0]: is wrong (line 5)",
                "a.b[0].d: is wrong (line 6)", "a.b[1]: is wrong", "a.x: is wrong",
            ]
        )
    }

    private enum Colour: String, Codable { case red }

    /// Says what it can be.
    private struct Size: Codable {
        init(from decoder: any Decoder) throws {
            throw DecodingError.dataCorrupted(
                DecodingError.Context(
                    codingPath: decoder.codingPath,
                    debugDescription: "",
                    underlyingError: UnknownChoice(choices: ["small", "large"])
                )
            )
        }
    }

    private struct Document: Codable {
        struct Inner: Codable {
            var pool: String
            var colour: Colour?
            var sizes: [Size]?
        }
        var seed: String
        var inner: Inner?
    }

    @Test(
        "says which key a missing one may be, and which value is none, with their lines",
        arguments: [
            ("sed: x", "seed: is missing; is sed (line 1) meant to be it?"), ("s: x", "seed: is missing"),
            ("seed: x\ninner: {poool: a}", "inner.pool: is missing; is poool (line 2) meant to be it?"),
            ("seed: x\ninner: {other: a}", "inner.pool: is missing"),
            ("sed:\n\n  # a\n  a: x", "seed: is missing; is sed (line 1) meant to be it?"),
            ("seed: x\ninnner:\n\n  # a\n  pool: a", "innner: is no field (line 2)"),
            ("seed: x\ninner:\n  pool: a\n  colour: blue", "inner.colour: blue is no value that it can have (line 4)"),
            ("seed: x\ninner:\n  pool: a\n  sizes: [huge]", "inner.sizes[0]: huge is none of small, large (line 4)"),
        ]
    )
    func misspelt(_ text: String, _ expected: String) {
        let error = #expect(throws: ConfigurationError.self) {
            _ = try StrictDecoder.decode(Document.self, from: Array(text.utf8))
        }
        #expect(error?.description == expected)
    }

    @Test("refuses a large file without reading it")
    func refusesLarge() {
        #expect(throws: YAMLError.self) { try YAMLParser.parse(Array(repeating: 0x20, count: 1 << 21)) }
    }
}
