internal import TendrilCore

/// What a store says of the objects in a bucket (Amazon S3 API Reference, "ListObjectsV2"), as far as it is needed.
///
/// Of XML it knows elements, text, references to characters and the five entities that every parser has (XML 1.0, sections 3.1,
/// 4.1 and 4.6); all else, a document type above all, is refused.
package struct SnapshotListing: Hashable, Sendable {
    /// One object.
    package struct Item: Hashable, Sendable {
        package var key: String
        /// In bytes.
        package var size: Int
    }

    /// How large an answer may be, in bytes: a page has 1000 objects, and a key 1024 bytes.
    package static let limit = 4 << 20
    private static let depth = 8

    package private(set) var items: [Item] = []
    /// By which the next page is asked for; `nil` where this is the last one.
    package private(set) var token: String?

    /// Reads an answer; `nil` for anything but a whole listing.
    ///
    /// - Parameter bytes: the body.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count <= Self.limit else { return nil }
        var reader = MarkupReader(bytes)
        var path: [String] = []
        var text = ""
        var (key, size): (String?, Int?) = (nil, nil)
        var (isTruncated, isWhole) = (false, false)
        var next: String?
        while let part = reader.next() {
            switch part {
            case .text(let more): text = more
            case .opening(let name):
                guard path.count < Self.depth, !isWhole, !path.isEmpty || name == "ListBucketResult" else { return nil }
                if path.count == 1, name == "Contents" { (key, size) = (nil, nil) }
                path.append(name)
                text = ""
            case .closing(let name):
                guard path.last == name else { return nil }
                switch path.dropFirst() {
                case ["IsTruncated"]: isTruncated = text == "true"
                case ["NextContinuationToken"]: next = text
                case ["Contents", "Key"]: key = text
                case ["Contents", "Size"]: size = Int(text)
                case ["Contents"]:
                    guard let key, let size, size >= 0 else { return nil }
                    items.append(Item(key: key, size: size))
                default: break
                }
                path.removeLast()
                text = ""
                isWhole = path.isEmpty
            }
        }
        guard reader.isAtEnd, isWhole else { return nil }
        if isTruncated {
            guard let next, !next.isEmpty else { return nil }
            token = next
        }
    }
}

/// Goes through markup part by part; what it does not know ends it before the end.
private struct MarkupReader {
    enum Part {
        case opening(String)
        case closing(String)
        /// With its references resolved.
        case text(String)
    }

    private let bytes: [UInt8]
    private var position = 0
    /// Of an element that is empty.
    private var pendingClose: String?
    private var hasFailed = false

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { !hasFailed && position == bytes.count && pendingClose == nil }

    mutating func next() -> Part? {
        if let name = pendingClose {
            pendingClose = nil
            return .closing(name)
        }
        guard !hasFailed, position < bytes.count else { return nil }
        let part = bytes[position] == 0x3C ? tag() : text()
        if part == nil { hasFailed = true }
        return part
    }

    private mutating func text() -> Part? {
        let end = bytes[position...].firstIndex(of: 0x3C) ?? bytes.count
        let raw = bytes[position..<end]
        position = end
        return Self.resolved(raw).map { .text($0) }
    }

    private mutating func tag() -> Part? {
        guard let end = bytes[position...].firstIndex(of: 0x3E) else { return nil }
        var inner = bytes[position..<end].dropFirst()
        let isFirst = position == 0
        position = end + 1
        if inner.first == 0x3F {
            // The declaration stands at the very beginning, and holds nothing that is needed.
            guard isFirst, inner.last == 0x3F else { return nil }
            return .text("")
        }
        if inner.first == 0x2F { return Self.name(inner.dropFirst()).map { .closing($0) } }
        let isEmpty = inner.last == 0x2F
        if isEmpty { inner = inner.dropLast() }
        // What follows the name are attributes, such as a namespace.
        guard let name = Self.name(inner.prefix { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }) else { return nil }
        if isEmpty { pendingClose = name }
        return .opening(name)
    }

    private static func name(_ bytes: ArraySlice<UInt8>) -> String? {
        let isName = (1...64).contains(bytes.count) && bytes.allSatisfy { $0.isLetter || $0.isDigit }
        return isName ? String(decoding: bytes, as: UTF8.self) : nil
    }

    private static let entities: [String: UInt8] = ["lt": 0x3C, "gt": 0x3E, "amp": 0x26, "quot": 0x22, "apos": 0x27]

    /// So many bytes a reference has at most, with its semicolon: a character's number may have some zeros before it.
    private static let referenceLimit = 12

    /// Text with the references in it resolved; `nil` where one leads to nothing, and for what is no UTF-8.
    private static func resolved(_ raw: ArraySlice<UInt8>) -> String? {
        var result: [UInt8] = []
        result.reserveCapacity(raw.count)
        var rest = raw
        while let ampersand = rest.firstIndex(of: 0x26) {
            result += rest[..<ampersand]
            let reference = rest[ampersand...].dropFirst().prefix(referenceLimit)
            guard let end = reference.firstIndex(of: 0x3B), let bytes = character(reference[..<end]) else { return nil }
            result += bytes
            rest = rest[end...].dropFirst()
        }
        return String(validating: result + rest, as: UTF8.self)
    }

    /// The character that a reference names, in UTF-8: `quot`, `#34` or `#x22`, as Go writes quotes; `nil` where it names none.
    private static func character(_ reference: ArraySlice<UInt8>) -> [UInt8]? {
        guard reference.first == 0x23 else {
            return entities[String(decoding: reference, as: UTF8.self)].map { [$0] }
        }
        let isHexadecimal = reference.dropFirst().first == 0x78
        let digits = reference.dropFirst(isHexadecimal ? 2 : 1)
        // No sign stands before it.
        guard let first = digits.first, first != 0x2B, first != 0x2D,
            let number = UInt32(String(decoding: digits, as: UTF8.self), radix: isHexadecimal ? 16 : 10),
            let scalar = Unicode.Scalar(number), number >= 0x20 || [0x09, 0x0A, 0x0D].contains(number)
        else { return nil }
        return Array(String(scalar).utf8)
    }
}
