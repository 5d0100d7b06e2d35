internal import TendrilCore

/// Why something ends, of those reasons that have a number on the wire.
package protocol NumberedReason: RawRepresentable, CaseIterable, Hashable, Sendable where RawValue == UInt16 {
    /// The reason in words.
    var text: String { get }

    /// How a frame is broken that holds none of them.
    static var malformed: ProtocolViolation { get }
}

/// Why something ends, as it stands in a frame: a number for programs (2 bytes), then up to 200 bytes for people.
package struct ReasonNotice<Numbered: NumberedReason>: Error, Hashable, CustomStringConvertible {
    package typealias Reason = Numbered

    /// The most bytes of text.
    package static var maximumText: Int { 200 }

    package let reason: Reason
    /// More about the reason; printable ASCII, for it is logged and shown on the other side.
    package let detail: String

    package init(_ reason: Reason, _ detail: String = "") {
        self.reason = reason
        self.detail = Self.carried(detail.utf8)
    }

    /// Reads what stands in a frame; what is not printable in it is replaced.
    package init(_ bytes: borrowing Span<UInt8>) throws(ProtocolViolation) {
        guard bytes.count >= 2, bytes.count <= 2 + Self.maximumText, let reason = Reason(rawValue: bytes.u16(0)) else {
            throw Reason.malformed
        }
        self.reason = reason
        var text: [UInt8] = []
        for index in 2..<bytes.count { text.append(bytes[index]) }
        detail = Self.carried(text)
    }

    /// Reads what stands in a frame; what is not printable in it is replaced.
    package init(_ bytes: [UInt8]) throws(ProtocolViolation) { try self.init(bytes.span) }

    /// How it stands in a frame.
    package var bytes: [UInt8] {
        [UInt8(reason.rawValue >> 8), UInt8(reason.rawValue & 0xFF)] + Array(detail.utf8)
    }

    /// The reason in words, with the detail where there is one.
    package var description: String { detail.isEmpty ? reason.text : "\(reason.text): \(detail)" }

    /// What of a text is carried.
    private static func carried(_ text: some Sequence<UInt8>) -> String {
        String(PrintableText.make(text).prefix(maximumText))
    }
}
