import CommandSupport
import Testing

@Suite("Output for people")
struct TerminalTests {
    private static let rows = [
        ["NAME", "READY", "PROBLEM"], ["a", "True", ""], ["longer", "False", "it is False"], ["c", "Unknown", ""],
        ["", "", ""],
    ]

    @Test("columns are as wide as their widest cell, and no line ends with spaces")
    func alignment() {
        let text = """
            NAME    READY    PROBLEM
            a       True
            longer  False    it is False
            c       Unknown

            """
        #expect(TextTable.aligned(Self.rows, shaded: ["READY"], hasColour: false) == text)
        #expect(TextTable.aligned([], hasColour: true) == "")
    }

    @Test("colours are only where they are asked for, in columns that say how something is, and move nothing")
    func colours() {
        let plain = TextTable.aligned(Self.rows, shaded: ["READY"], hasColour: false)
        let coloured = TextTable.aligned(Self.rows, shaded: ["READY"], hasColour: true)
        #expect(coloured.replacing(/\u{1B}\[[0-9]+m/, with: "") == plain)
        for painted in ["\u{1B}[32mTrue\u{1B}[0m", "\u{1B}[31mFalse\u{1B}[0m    it", "\u{1B}[33mUnknown\u{1B}[0m"] {
            #expect(coloured.contains(painted))
        }
        #expect(coloured.count { $0 == "\u{1B}" } == 6)
        #expect(TextTable.aligned(Self.rows, hasColour: true) == plain)
    }

    @Test("what others have written into a cell does nothing to a terminal, and moves no column")
    func hostile() {
        let rows = [["NAME", "READY", "PROBLEM"], ["a\u{1B}[2J", "True\r", "\u{9B}31m\n\u{202E}x"]]
        let lines = [
            "NAME   READY  PROBLEM", "a?[2J  True?  ??31m????x",
        ]
        #expect(TextTable.aligned(rows, hasColour: false) == lines.joined(separator: "\n"))
        let coloured = TextTable.aligned([["READY"], ["\u{1B}[0m True"]], shaded: ["READY"], hasColour: true)
        #expect(coloured == "READY\n\u{1B}[32m?[0m True\u{1B}[0m")
    }

    @Test(
        "an operation is shaded by its state",
        arguments: [
            ("Create Succeeded", Shade.good), ("Delete Failed", .bad), ("Reconcile Error", .bad),
            ("Reconcile Processing", nil), ("-", nil), ("", nil), ("down", .bad), ("up", .good),
        ]
    )
    func shades(_ text: String, _ shade: Shade?) { #expect(Shade.of(text) == shade) }

    @Test("never in a pipe, nor where a person or a terminal wants none")
    func wishes() {
        func wants(_ isThere: Bool, _ noColour: String?, _ terminal: String?) -> Bool {
            Terminal.wantsColour(isThere: isThere, noColour: noColour, terminal: terminal)
        }
        #expect(wants(true, nil, "xterm") && wants(true, "", "xterm"))
        #expect(!wants(false, nil, "xterm") && !wants(true, "0", "xterm") && !wants(true, "1", "xterm"))
        #expect(!wants(true, nil, "dumb") && !wants(true, nil, nil))
        // What runs tests is no terminal.
        #expect(!Terminal.hasColour || Terminal.isThere)
    }
}
