internal import TendrilCore

/// The page for people about kinds of objects, made from their schemas (Markdown).
package enum ReferencePage {
    /// All kinds on one page.
    package static func text(_ definitions: [ResourceDefinition]) -> String {
        let head = """
            # Objects

            Every field of our kinds, made from the types that read them by `tendril-coordinator definitions --markdown`.
            A field that is marked * has to be there.

            """
        return head + definitions.map(section).joined(separator: "\n")
    }

    private static func section(_ definition: ResourceDefinition) -> String {
        let scope = definition.resource.isNamespaced ? "namespaced" : "cluster-wide"
        var rows: [String] = []
        for part in ["spec", "status"] { add(definition.schema.field(part), path: part, isRequired: false, &rows) }
        return """

            ## \(definition.kind)

            `\(definition.resource.group)/\(definition.resource.version)`, \(scope).

            | field | type | default | |
            |---|---|---|---|
            \(rows.joined(separator: "\n"))

            """
    }

    private static func add(_ schema: JSONValue, path: String, isRequired: Bool, _ rows: inout [String]) {
        rows.append("| `\(path)`\(isRequired ? " *" : "") | \(type(schema)) | \(fallback(schema)) | \(about(schema)) |")
        if let items = schema["items"] { addFields(items, path: "\(path)[]", &rows) }
        if let values = schema["additionalProperties"] { addFields(values, path: "\(path){}", &rows) }
        addFields(schema, path: path, &rows)
    }

    private static func addFields(_ schema: JSONValue, path: String, _ rows: inout [String]) {
        guard case .object(let properties)? = schema["properties"] else { return }
        var required: Set<String> = []
        if case .array(let names)? = schema["required"] { required = Set(names.compactMap(\.text)) }
        for (name, field) in properties.sorted(by: { $0.key < $1.key }) {
            add(field, path: "\(path).\(name)", isRequired: required.contains(name), &rows)
        }
    }

    private static func type(_ schema: JSONValue) -> String {
        if case .array(let texts)? = schema["enum"] {
            return texts.compactMap(\.text).map { "`\($0)`" }.joined(separator: ", ")
        }
        if let items = schema["items"] { return "list of \(items["type"]?.text ?? "")" }
        if let values = schema["additionalProperties"] { return "map of \(values["type"]?.text ?? "")" }
        return schema["type"]?.text ?? ""
    }

    private static func fallback(_ schema: JSONValue) -> String {
        switch schema["default"] {
        case .string(let text): "`\(text)`"
        case .integer(let number): "`\(number)`"
        case .bool(let flag): "`\(flag)`"
        default: ""
        }
    }

    private static func about(_ schema: JSONValue) -> String {
        var text = schema["description"]?.text ?? ""
        if case .integer(let least)? = schema["minimum"] { text += " At least \(least)." }
        if case .integer(let most)? = schema["maximum"] { text += " At most \(most)." }
        return text
    }
}
