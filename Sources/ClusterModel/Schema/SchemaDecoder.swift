internal import FoundationEssentials
internal import TendrilCore

/// A text of which a type knows every value.
package protocol SchemaEnumeration: RawRepresentable, CaseIterable, Codable, Sendable where RawValue == String {}

/// Lets a type decode from nothing, and writes down what it asks for.
struct SchemaDecoder: Decoder {
    let node: SchemaNode
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(Fields<Key>(node: node))
    }

    func unkeyedContainer() -> any UnkeyedDecodingContainer { Items(node: node.makeElement(.array)) }

    func singleValueContainer() -> any SingleValueDecodingContainer { Single(node: node) }

    /// Any value of a type, after its shape is written down.
    static func example<Value: Decodable>(_ type: Value.Type, at node: SchemaNode) throws -> Value {
        if let value = try special(type, at: node) { return value }
        return try Value(from: SchemaDecoder(node: node))
    }

    private static func special<Value: Decodable>(_ type: Value.Type, at node: SchemaNode) throws -> Value? {
        if let type = type as? any SchemaEnumeration.Type {
            node.kind = .enumeration(texts(of: type))
            return first(of: type) as? Value
        }
        let (kind, value): (SchemaNode.Kind, Any) =
            switch type {
            case is JSONValue.Type: (.anything, JSONValue.null)
            case is Data.Type: (.bytes, Data())
            case is String.Type: (.string, "")
            case is Int.Type: (.integer, 0)
            case is Double.Type: (.number, 0.0)
            case is Bool.Type: (.boolean, false)
            default: (.object, ())
            }
        guard let value = value as? Value else { return nil }
        node.kind = kind
        return value
    }

    private static func texts<Value: SchemaEnumeration>(of type: Value.Type) -> [String] {
        Value.allCases.map(\.rawValue)
    }

    private static func first<Value: SchemaEnumeration>(of type: Value.Type) -> Value? { Value.allCases.first }

    /// The name under which a map's values are asked for.
    private static let anyKey = "*"

    private final class Optionals { var names: Set<String> = [] }

    private struct Fields<Key: CodingKey>: KeyedDecodingContainerProtocol {
        let node: SchemaNode
        /// Fields that were asked whether they are null: only what is optional is.
        let optionals = Optionals()
        var codingPath: [any CodingKey] { [] }
        /// A map takes any key; a type with fields of its own has none of this name.
        var allKeys: [Key] { Key(stringValue: anyKey).map { [$0] } ?? [] }

        func contains(_ key: Key) -> Bool { true }

        func decodeNil(forKey key: Key) -> Bool {
            optionals.names.insert(key.stringValue)
            return false
        }

        func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
            let name = key.stringValue
            let inner =
                name == anyKey
                ? node.makeElement(.map) : node.field(name, isOptional: optionals.names.contains(name))
            return try example(type, at: inner)
        }

        func nestedContainer<Inner: CodingKey>(keyedBy type: Inner.Type, forKey key: Key) throws
            -> KeyedDecodingContainer<Inner>
        {
            throw SchemaError(description: "\(key.stringValue) is decoded by hand")
        }

        func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
            throw SchemaError(description: "\(key.stringValue) is decoded by hand")
        }

        func superDecoder() throws -> any Decoder { SchemaDecoder(node: node) }
        func superDecoder(forKey key: Key) throws -> any Decoder { SchemaDecoder(node: node) }
    }

    /// A list of one item.
    private struct Items: UnkeyedDecodingContainer {
        let node: SchemaNode
        var currentIndex = 0
        var codingPath: [any CodingKey] { [] }
        var count: Int? { 1 }
        var isAtEnd: Bool { currentIndex > 0 }

        init(node: SchemaNode) { self.node = node }

        func decodeNil() -> Bool { false }

        mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
            currentIndex += 1
            return try example(type, at: node)
        }

        func nestedContainer<Inner: CodingKey>(keyedBy type: Inner.Type) throws -> KeyedDecodingContainer<Inner> {
            throw SchemaError(description: "a list is decoded by hand")
        }

        func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
            throw SchemaError(description: "a list is decoded by hand")
        }

        func superDecoder() throws -> any Decoder { SchemaDecoder(node: node) }
    }

    private struct Single: SingleValueDecodingContainer {
        let node: SchemaNode
        var codingPath: [any CodingKey] { [] }

        func decodeNil() -> Bool { false }
        func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try example(type, at: node) }
    }
}
