package import TendrilCore

/// Writes YAML for people: blocks instead of braces, and texts without quotation marks where nobody can take them for
/// anything else (YAML 1.2; readers of 1.1 see the same).
package enum YAMLText {
    /// A document that ends with a line's end.
    package static func text(_ value: JSONValue) throws -> String {
        var lines: [String] = []
        try add(value, indent: "", lead: "", &lines)
        return lines.joined(separator: "\n") + "\n"
    }

    /// Adds a value; `lead` is what stands on its first line before it, such as `- ` or `name: `.
    private static func add(_ value: JSONValue, indent: String, lead: String, _ lines: inout [String]) throws {
        switch value {
        case .object(let fields) where !fields.isEmpty:
            // Behind a dash the first field stands on the same line; behind a name it does not.
            var start = lead
            if lead.hasSuffix(": ") {
                lines.append(String(lead.dropLast()))
                start = indent
            }
            for (name, field) in fields.sorted(by: { $0.key < $1.key }) {
                try add(field, indent: indent + "  ", lead: "\(start)\(try scalar(name)): ", &lines)
                start = indent
            }
        case .array(let items) where !items.isEmpty:
            if lead.hasSuffix(": ") { lines.append(String(lead.dropLast())) }
            let dash = lead.hasSuffix("- ") ? lead : indent
            for (index, item) in items.enumerated() {
                try add(item, indent: indent + "  ", lead: (index == 0 ? dash : indent) + "- ", &lines)
            }
        case .string(let text): lines.append(lead + (try scalar(text)))
        default: lines.append(lead + String(decoding: try CanonicalJSON.bytes(value), as: UTF8.self))
        }
    }

    private static func scalar(_ text: String) throws -> String {
        isPlain(text) ? text : String(decoding: try CanonicalJSON.bytes(text), as: UTF8.self)
    }

    /// Words that YAML 1.1 takes for something else than a text.
    private static let words: Set = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"]

    private static func isPlain(_ text: String) -> Bool {
        guard let first = text.utf8.first, first.isLetter,
            text.utf8.allSatisfy({ $0.isLetter || $0.isDigit || [0x2D, 0x2E, 0x2F, 0x5F].contains($0) })
        else { return false }
        return !words.contains(text.lowercased())
    }
}
