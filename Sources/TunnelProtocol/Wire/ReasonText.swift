internal import TendrilCore

/// A reason as it stands in a frame: a number (2 bytes), then up to 200 bytes of printable ASCII.
enum ReasonText {
    /// The most bytes of text.
    static var maximumText: Int { 200 }

    /// What of a text is carried: printable, for it is shown to people on the other side.
    static func detail(_ text: some Sequence<UInt8>) -> String { String(PrintableText.make(text).prefix(maximumText)) }

    static func bytes(_ number: UInt16, _ detail: String) -> [UInt8] {
        [UInt8(number >> 8), UInt8(number & 0xFF)] + Array(detail.utf8)
    }

    /// The reason in words, with the detail where there is one.
    static func words(_ reason: String, _ detail: String) -> String {
        detail.isEmpty ? reason : "\(reason): \(detail)"
    }
}
