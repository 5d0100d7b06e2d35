package import TendrilCore

extension YAMLNode {
    /// The same as a JSON value; plain scalars become numbers, Booleans and null as in YAML 1.2's core schema.
    package var json: JSONValue {
        switch content {
        case .sequence(let items): .array(items.map(\.json))
        case .mapping(let entries): .object(Dictionary(entries.map { ($0.key, $0.value.json) }) { $1 })
        case .scalar(let text, isPlain: false): .string(text)
        case .scalar(let text, isPlain: true): isNull ? .null : Self.plain(text)
        }
    }

    private static func plain(_ text: String) -> JSONValue {
        switch text {
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        default: break
        }
        let digits = text.drop { $0 == "-" }
        // A zero that begins anything but a fraction means a mode or an identifier to everyone who writes it.
        guard let first = digits.utf8.first, first.isDigit,
            first != 0x30 || digits.utf8.count == 1 || digits.utf8.dropFirst().first == 0x2E
        else { return .string(text) }
        if let number = Int(text) { return .integer(number) }
        guard digits.utf8.allSatisfy({ $0.isDigit || [0x2E, 0x65, 0x45, 0x2B, 0x2D].contains($0) }),
            let number = Double(text), number.isFinite
        else { return .string(text) }
        return .number(number)
    }
}
