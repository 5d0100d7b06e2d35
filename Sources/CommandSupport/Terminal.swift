internal import Glibc
internal import TendrilCore

/// Who looks at the output.
package enum Terminal {
    /// Whether somebody looks at it.
    package static var isThere: Bool { isatty(STDOUT_FILENO) == 1 }

    /// Whether it is shown in colour.
    package static var hasColour: Bool {
        func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
        return wantsColour(isThere: isThere, noColour: variable("NO_COLOR"), terminal: variable("TERM"))
    }

    /// Whether output is to be in colour: never in a pipe or a file, nor where a person wants none.
    ///
    /// - Parameters:
    ///   - isThere: whether it goes to a terminal.
    ///   - noColour: NO_COLOR of the environment; whatever it says but nothing is a wish (https://no-color.org).
    ///   - terminal: TERM of the environment.
    /// - Returns: whether it is.
    package static func wantsColour(isThere: Bool, noColour: String?, terminal: String?) -> Bool {
        isThere && (noColour ?? "").isEmpty && terminal != nil && terminal != "dumb"
    }

    /// Shows what was printed without a line's end.
    package static func flush() { fflush(nil) }
}

/// How a text is to be taken, as colours say it (ECMA-48, "Select Graphic Rendition").
package enum Shade: Int, Sendable {
    case bad = 31
    case good = 32
    case uncertain = 33

    /// The shade of a word that says how something is; `nil` for all others.
    package static func of(_ text: String) -> Shade? {
        switch text.split(separator: " ").last {
        case "True", "Succeeded", "up": .good
        case "False", "Failed", "Error", "down": .bad
        case "Unknown": .uncertain
        default: nil
        }
    }

    /// The text in this colour.
    package func paint(_ text: String) -> String { "\u{1B}[\(rawValue)m\(text)\u{1B}[0m" }
}

/// Rows of cells for people.
package enum TextTable {
    /// A line for each row, with columns as wide as their widest cell.
    ///
    /// - Parameters:
    ///   - rows: the first is the head; what is not printable ASCII in a cell is replaced.
    ///   - shaded: the columns whose words say how something is, by their heads.
    ///   - hasColour: whether it is shown in colour.
    /// - Returns: the lines.
    package static func aligned(
        _ rows: [[String]],
        shaded: Set<String> = [],
        hasColour: Bool = Terminal.hasColour
    ) -> String {
        let rows = rows.map { $0.map { PrintableText.make($0.utf8) } }
        let head = rows.first ?? []
        let widths = head.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            // What is beyond the last cell that has text would only wrap the line.
            let used = row.lastIndex { !$0.isEmpty }.map { row[...$0] } ?? []
            let cells = used.indices.map { column in
                let space = column == used.endIndex - 1 ? 0 : widths[column] - row[column].count
                let shade = hasColour && shaded.contains(head[column]) ? Shade.of(row[column]) : nil
                return (shade?.paint(row[column]) ?? row[column]) + String(repeating: " ", count: space)
            }
            return cells.joined(separator: "  ")
        }.joined(separator: "\n")
    }
}
