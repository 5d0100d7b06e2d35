/// Text of somebody else's for people: printable ASCII, all else replaced by question marks.
///
/// So it does nothing to a terminal.
package enum PrintableText {
    /// What is shown of these bytes.
    package static func make(_ bytes: some Sequence<UInt8>) -> String {
        String(decoding: bytes.map { $0.isPrintable ? $0 : 0x3F }, as: UTF8.self)
    }
}
