package import TendrilCore

extension Schema {
    /// What is wrong with an object: fields that are unknown or missing, and values that are none of theirs.
    ///
    /// Patterns are left to the rules of the kind, which have better words for them.
    ///
    /// - Parameters:
    ///   - value: the object, with what it leaves out filled in.
    ///   - withLimits: whether numbers, lengths and counts are judged, too.
    /// - Returns: the problems, each with its field.
    package func problems(in value: JSONValue, withLimits: Bool) -> [ConfigurationProblem] {
        SchemaJudge(withLimits: withLimits).problems(in: value, document, at: "")
    }
}

/// Tells whether values are what a schema says.
private struct SchemaJudge {
    let withLimits: Bool

    func problems(in value: JSONValue, _ schema: JSONValue, at path: String) -> [ConfigurationProblem] {
        let type = schema["type"]?.text ?? ""
        switch (type, value) {
        case ("object", .object(let fields)):
            return excess(fields.count, schema["maxProperties"], "entries", path)
                + problems(among: fields, schema, path)
        case ("array", .array(let items)):
            let element = schema["items"] ?? [:]
            return excess(items.count, schema["maxItems"], "entries", path)
                + items.enumerated().flatMap { problems(in: $1, element, at: "\(path)[\($0)]") }
        case ("string", .string(let text)):
            let values = (schema["enum"]?.items ?? []).compactMap(\.text)
            guard values.isEmpty || values.contains(text) else {
                return [ConfigurationProblem(path, "\(text) is none of \(values.joined(separator: ", "))")]
            }
            return excess(text.unicodeScalars.count, schema["maxLength"], "characters", path)
        case ("integer", .integer(let number)): return problems(of: number, schema, path)
        case ("number", .integer), ("number", .number), ("boolean", .bool): return []
        default: return [ConfigurationProblem(path, "is not \(words(for: type))")]
        }
    }

    private func problems(
        among fields: [String: JSONValue],
        _ schema: JSONValue,
        _ path: String
    ) -> [ConfigurationProblem] {
        func inner(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }
        var found: [ConfigurationProblem] = []
        for name in (schema["required"]?.items ?? []).compactMap(\.text)
        where (fields[name] ?? JSONValue.null) == JSONValue.null {
            found.add(inner(name), "is missing")
        }
        guard schema["x-kubernetes-preserve-unknown-fields"] == nil else { return found }
        for (name, value) in fields.sorted(by: { $0.key < $1.key }) where value != JSONValue.null {
            if let field = schema["properties"]?[name] ?? schema["additionalProperties"] {
                found += problems(in: value, field, at: inner(name))
            } else {
                found.add(inner(name), "is no field")
            }
        }
        return found
    }

    private func problems(of number: Int, _ schema: JSONValue, _ path: String) -> [ConfigurationProblem] {
        guard withLimits else { return [] }
        if let least = schema["minimum"]?.number, number < least {
            return [ConfigurationProblem(path, "\(number) is less than \(least)")]
        }
        if let most = schema["maximum"]?.number, number > most {
            return [ConfigurationProblem(path, "\(number) is more than \(most)")]
        }
        return []
    }

    private func excess(
        _ count: Int,
        _ most: JSONValue?,
        _ what: String,
        _ path: String
    ) -> [ConfigurationProblem] {
        guard withLimits, let most = most?.number, count > most else { return [] }
        return [ConfigurationProblem(path, "has \(count) \(what), more than \(most)")]
    }

    private func words(for type: String) -> String {
        switch type {
        case "string": "a string"
        case "integer": "a whole number"
        case "number": "a number"
        case "boolean": "true or false"
        case "array": "a list"
        default: "a mapping"
        }
    }
}
