internal import CLibyaml

/// Reads one YAML document strictly: no aliases, no tags, no duplicate keys, bounded size and depth.
package enum YAMLParser {
    /// The largest document in bytes.
    package static var maximumByteCount: Int { 1 << 20 }
    /// The deepest nesting.
    package static var maximumDepth: Int { 32 }

    /// Parses a document; JSON is YAML too.
    package static func parse(_ bytes: [UInt8]) throws(YAMLError) -> YAMLNode {
        guard bytes.count <= maximumByteCount else {
            throw YAMLError(line: 0, reason: "the document is larger than 1 MiB")
        }
        let reader = try EventReader(bytes)
        try reader.expect(YAML_STREAM_START_EVENT)
        try reader.next()
        guard reader.type == YAML_DOCUMENT_START_EVENT else { throw reader.error("the document is empty") }
        try reader.next()
        let node = try node(reader, depth: 0)
        try reader.expect(YAML_DOCUMENT_END_EVENT)
        try reader.next()
        guard reader.type == YAML_STREAM_END_EVENT else { throw reader.error("there is a second document") }
        return node
    }

    /// Reads the piece that begins with the reader's current event.
    private static func node(_ reader: EventReader, depth: Int) throws(YAMLError) -> YAMLNode {
        guard depth < maximumDepth else { throw reader.error("nested deeper than \(maximumDepth) levels") }
        let line = reader.line
        try reader.refuseDecorations()
        switch reader.type {
        case YAML_SCALAR_EVENT:
            return YAMLNode(content: .scalar(reader.text, isPlain: reader.isPlain), line: line)
        case YAML_SEQUENCE_START_EVENT:
            var items: [YAMLNode] = []
            try reader.next()
            while reader.type != YAML_SEQUENCE_END_EVENT {
                items.append(try node(reader, depth: depth + 1))
                try reader.next()
            }
            return YAMLNode(content: .sequence(items), line: line)
        case YAML_MAPPING_START_EVENT:
            return YAMLNode(content: .mapping(try entries(reader, depth: depth)), line: line)
        default:
            throw reader.error("unexpected structure")
        }
    }

    private static func entries(_ reader: EventReader, depth: Int) throws(YAMLError) -> [YAMLNode.Entry] {
        var entries: [YAMLNode.Entry] = []
        var keys: Set<String> = []
        try reader.next()
        while reader.type != YAML_MAPPING_END_EVENT {
            try reader.refuseDecorations()
            guard reader.type == YAML_SCALAR_EVENT else { throw reader.error("a key is not a scalar") }
            let (key, line) = (reader.text, reader.line)
            guard keys.insert(key).inserted else { throw reader.error("the key \(key) comes twice") }
            try reader.next()
            entries.append(YAMLNode.Entry(key: key, line: line, value: try node(reader, depth: depth + 1)))
            try reader.next()
        }
        return entries
    }
}

/// libyaml's parser with its current event.
private final class EventReader {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let event: UnsafeMutablePointer<yaml_event_t>
    private let input: UnsafeMutableBufferPointer<UInt8>

    init(_ bytes: [UInt8]) throws(YAMLError) {
        parser = .allocate(capacity: 1)
        event = .allocate(capacity: 1)
        event.initialize(to: yaml_event_t())
        input = .allocate(capacity: max(bytes.count, 1))
        _ = input.initialize(from: bytes)
        parser.initialize(to: yaml_parser_t())
        guard yaml_parser_initialize(parser) == 1 else { throw YAMLError(line: 0, reason: "out of memory") }
        yaml_parser_set_input_string(parser, input.baseAddress, bytes.count)
        try next()
    }

    deinit {
        yaml_event_delete(event)
        yaml_parser_delete(parser)
        event.deallocate()
        parser.deallocate()
        input.deallocate()
    }

    var type: yaml_event_type_t { event.pointee.type }
    var line: Int { event.pointee.start_mark.line + 1 }

    /// The text of a scalar event.
    var text: String {
        let scalar = event.pointee.data.scalar
        return String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
    }

    var isPlain: Bool { event.pointee.data.scalar.style == YAML_PLAIN_SCALAR_STYLE }

    func next() throws(YAMLError) {
        yaml_event_delete(event)
        event.initialize(to: yaml_event_t())
        guard yaml_parser_parse(parser, event) == 1 else {
            let problem = parser.pointee.problem.map { String(cString: $0) } ?? "malformed"
            throw YAMLError(line: parser.pointee.problem_mark.line + 1, reason: problem)
        }
    }

    func expect(_ expected: yaml_event_type_t) throws(YAMLError) {
        // The event behind a node's last one is what the document goes on with.
        if type != expected { try next() }
        guard type == expected else { throw error("unexpected structure") }
    }

    func error(_ reason: String) -> YAMLError { YAMLError(line: line, reason: reason) }

    /// Refuses aliases, anchors and tags, which make a small file large or mean what it does not say.
    func refuseDecorations() throws(YAMLError) {
        let (anchor, tag): (UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<UInt8>?) =
            switch type {
            case YAML_ALIAS_EVENT: (event.pointee.data.alias.anchor, nil)
            case YAML_SCALAR_EVENT: (event.pointee.data.scalar.anchor, event.pointee.data.scalar.tag)
            case YAML_SEQUENCE_START_EVENT:
                (event.pointee.data.sequence_start.anchor, event.pointee.data.sequence_start.tag)
            case YAML_MAPPING_START_EVENT:
                (event.pointee.data.mapping_start.anchor, event.pointee.data.mapping_start.tag)
            default: (nil, nil)
            }
        guard anchor == nil else { throw error("anchors and aliases are not taken") }
        guard tag == nil else { throw error("tags are not taken") }
    }
}
