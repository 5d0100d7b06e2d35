internal import FoundationEssentials
package import TendrilCore

/// Decodes a document into a type, and refuses every key that the type does not know.
package enum StrictDecoder {
    /// Reads YAML or JSON.
    ///
    /// - Parameters:
    ///   - type: encodes every key that it decodes.
    ///   - bytes: one document of at most 1 MiB.
    /// - Returns: the value.
    /// - Throws: `ConfigurationError` with every unknown key, or the first value of a wrong kind.
    package static func decode<Value: Codable>(
        _ type: Value.Type,
        from bytes: [UInt8]
    ) throws(ConfigurationError) -> Value { try decode(type, from: bytes) { _ in [] } }

    /// Reads YAML or JSON, and judges what was read.
    ///
    /// - Parameters:
    ///   - type: encodes every key that it decodes.
    ///   - bytes: one document of at most 1 MiB.
    ///   - judge: says all that is wrong with a value.
    /// - Returns: a value that nothing is wrong with.
    /// - Throws: `ConfigurationError` with every unknown key and all that was judged wrong, or the first value of a wrong kind.
    package static func decode<Value: Codable>(
        _ type: Value.Type,
        from bytes: [UInt8],
        judge: (Value) -> [ConfigurationProblem]
    ) throws(ConfigurationError) -> Value {
        let node: YAMLNode
        do throws(YAMLError) {
            node = try YAMLParser.parse(bytes)
        } catch {
            throw ConfigurationError("", error.description)
        }
        do {
            let value = try JSONDecoder().decode(type, from: JSONEncoder().encode(node.json))
            let known = try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(value))
            let problems = unknownKeys(node, known, path: "") + judge(value)
            guard problems.isEmpty else { throw ConfigurationError(problems) }
            return value
        } catch let error as ConfigurationError {
            throw error
        } catch let error as DecodingError {
            throw ConfigurationError([problem(error)])
        } catch {
            throw ConfigurationError("", "\(error)")
        }
    }

    private static func unknownKeys(_ node: YAMLNode, _ known: JSONValue, path: String) -> [ConfigurationProblem] {
        switch (node.content, known) {
        case (.mapping(let entries), .object(let fields)):
            return entries.filter { !$0.value.isNull }.flatMap { entry in
                let inner = path.isEmpty ? entry.key : "\(path).\(entry.key)"
                guard let field = fields[entry.key] else {
                    return [ConfigurationProblem(inner, "is no field (line \(entry.value.line))")]
                }
                return unknownKeys(entry.value, field, path: inner)
            }
        case (.sequence(let items), .array(let values)):
            return zip(items, values).enumerated().flatMap { index, pair in
                unknownKeys(pair.0, pair.1, path: "\(path)[\(index)]")
            }
        default:
            return []
        }
    }

    private static func problem(_ error: DecodingError) -> ConfigurationProblem {
        let (path, reason): ([any CodingKey], String) =
            switch error {
            case .keyNotFound(let key, let context): (context.codingPath + [key], "is missing")
            case .valueNotFound(_, let context): (context.codingPath, "is missing")
            case .typeMismatch(let type, let context): (context.codingPath, "is not \(words(for: type))")
            case .dataCorrupted(let context): (context.codingPath, context.debugDescription)
            @unknown default: ([], "\(error)")
            }
        let text = path.reduce(into: "") { text, key in
            if let index = key.intValue {
                text += "[\(index)]"
            } else {
                text += (text.isEmpty ? "" : ".") + key.stringValue
            }
        }
        return ConfigurationProblem(text, reason)
    }

    private static func words(for type: Any.Type) -> String {
        switch "\(type)" {
        case "String": "a string"
        case "Bool": "true or false"
        case let name where name.hasPrefix("Int") || name.hasPrefix("UInt") || name == "Double": "a number that fits"
        case let name where name.hasPrefix("Array"): "a list"
        default: "a mapping"
        }
    }
}

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
