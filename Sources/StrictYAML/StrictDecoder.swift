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
            throw ConfigurationError([problem(error, node)])
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
                    return [ConfigurationProblem(inner, "is no field (line \(entry.line))")]
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

    private static func problem(_ error: DecodingError, _ node: YAMLNode) -> ConfigurationProblem {
        let (path, reason): ([any CodingKey], String) =
            switch error {
            case .keyNotFound(let key, let context):
                (context.codingPath + [key], missing(key.stringValue, node.piece(at: context.codingPath)))
            case .valueNotFound(_, let context): (context.codingPath, "is missing")
            case .typeMismatch(let type, let context): (context.codingPath, "is not \(words(for: type))")
            case .dataCorrupted(let context):
                (context.codingPath, corrupted(node.piece(at: context.codingPath), context.underlyingError))
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

    /// Why a key is missing: it may be misspelt.
    private static func missing(_ name: String, _ mapping: YAMLNode?) -> String {
        guard case .mapping(let entries)? = mapping?.content,
            let near = NearKey.find(name, among: entries.map(\.key)),
            let entry = entries.first(where: { $0.key == near })
        else { return "is missing" }
        return "is missing; is \(near) (line \(entry.line)) meant to be it?"
    }

    /// What is wrong with a value of the right kind that is none of those that are taken.
    private static func corrupted(_ node: YAMLNode?, _ cause: (any Error)?) -> String {
        guard let node, case .scalar(let text, _) = node.content else { return "cannot be read" }
        let reason = (cause as? UnknownChoice)?.description ?? "is no value that it can have"
        return "\(text) \(reason) (line \(node.line))"
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
