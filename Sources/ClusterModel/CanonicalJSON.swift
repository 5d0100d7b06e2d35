internal import FoundationEssentials
package import TendrilCore

/// Writes JSON always in the same way: sorted keys, no escaped slashes, ASCII only, for readers of YAML refuse some of
/// the characters that JSON allows (YAML 1.1 section 4.1).
package enum CanonicalJSON {
    /// Bytes on one line.
    package static func bytes(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return ascii(try encoder.encode(value))
    }

    /// Text for people, over several lines.
    package static func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
        return String(decoding: ascii(try encoder.encode(value)), as: UTF8.self)
    }

    /// A value as the JSON that it is encoded to.
    package static func value(_ value: some Encodable) throws -> JSONValue {
        try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(value))
    }

    /// The same document with everything beyond printable ASCII escaped; such characters stand in strings only.
    private static func ascii(_ data: Data) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(data.count)
        for scalar in String(decoding: data, as: UTF8.self).unicodeScalars {
            if scalar.value < 0x7F {
                bytes.append(UInt8(scalar.value))
                continue
            }
            for unit in String(scalar).utf16 { bytes += Array("\\u\(unit.digits(4, radix: 16))".utf8) }
        }
        return bytes
    }
}

extension JSONValue {
    /// The value as a type.
    package func decoded<Value: Decodable>(as type: Value.Type) throws -> Value {
        try JSONDecoder().decode(type, from: JSONEncoder().encode(self))
    }
}
