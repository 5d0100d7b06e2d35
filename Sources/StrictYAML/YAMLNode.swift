/// A piece of a YAML document, with the line where it begins.
package struct YAMLNode: Hashable, Sendable {
    /// What the piece is.
    package indirect enum Content: Hashable, Sendable {
        /// Text; `isPlain` where it stands without quotes and may be a number, a Boolean or null.
        case scalar(String, isPlain: Bool)
        case sequence([YAMLNode])
        /// Entries in the order of the file; no key comes twice.
        case mapping([Entry])
    }

    /// A key and its value.
    package struct Entry: Hashable, Sendable {
        package let key: String
        /// Where the key stands, counted from 1; the value of one may begin further down.
        package let line: Int
        package let value: YAMLNode
    }

    package let content: Content
    /// Counted from 1.
    package let line: Int

    /// What the piece is, in words for an error.
    package var kind: String {
        switch content {
        case .scalar(_, let isPlain): isNull ? "nothing" : isPlain ? "a scalar" : "a string"
        case .sequence: "a list"
        case .mapping: "a mapping"
        }
    }

    /// The piece that a decoder's path leads to; `nil` where there is none.
    func piece(at path: [any CodingKey]) -> YAMLNode? {
        path.reduce(self) { (piece: YAMLNode?, key: any CodingKey) -> YAMLNode? in
            switch piece?.content {
            case .sequence(let items): key.intValue.flatMap { items.indices.contains($0) ? items[$0] : nil }
            case .mapping(let entries): entries.first { $0.key == key.stringValue }?.value
            case .scalar, nil: nil
            }
        }
    }

    /// Whether the piece is an empty or null scalar.
    package var isNull: Bool {
        guard case .scalar(let text, isPlain: true) = content else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(text)
    }
}

/// A document that is not the YAML that is taken here; trying again cannot help.
package struct YAMLError: Error, Hashable, CustomStringConvertible {
    /// Counted from 1; 0 where no line is to blame.
    package let line: Int
    package let reason: String

    package var description: String { line > 0 ? "line \(line): \(reason)" : reason }
}
