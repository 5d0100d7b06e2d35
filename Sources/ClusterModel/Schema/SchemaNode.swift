package import TendrilCore

/// One place in a schema, as it shows itself while a type decodes.
final class SchemaNode {
    /// What stands there.
    enum Kind {
        case object
        case array
        case map
        case string
        case bytes
        case integer
        case number
        case boolean
        case anything
        case enumeration([String])
    }

    var kind = Kind.object
    /// The fields of an object, in the order of their declaration.
    private(set) var fields: [(name: String, isOptional: Bool, node: SchemaNode)] = []
    /// What a list or a map holds.
    private(set) var element: SchemaNode?

    /// A field's place, made when it is first asked for.
    func field(_ name: String, isOptional: Bool) -> SchemaNode {
        if let known = fields.first(where: { $0.name == name }) { return known.node }
        let node = SchemaNode()
        fields.append((name, isOptional, node))
        return node
    }

    /// The place of what a list or a map holds.
    func makeElement(_ kind: Kind) -> SchemaNode {
        self.kind = kind
        let node = element ?? SchemaNode()
        element = node
        return node
    }
}

/// What a schema says of a field beyond its type.
package struct FieldRule: Sendable {
    package var description: String
    package var pattern: String?
    package var minimum: Int?
    package var maximum: Int?
    /// The longest text, in characters, list, in items, or map, in keys.
    package var maximumCount: Int?
    package var fallback: JSONValue?

    package init(
        _ description: String,
        pattern: String? = nil,
        minimum: Int? = nil,
        maximum: Int? = nil,
        maximumCount: Int? = nil,
        default fallback: JSONValue? = nil
    ) {
        (self.description, self.pattern) = (description, pattern)
        (self.minimum, self.maximum, self.maximumCount) = (minimum, maximum, maximumCount)
        self.fallback = fallback
    }
}

/// A rule for a field that the type does not have.
package struct SchemaError: Error, CustomStringConvertible {
    package let description: String
}
