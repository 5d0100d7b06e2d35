/// Text that goes to the other side's people: printable ASCII, all else replaced by question marks.
package enum PrintableText {
    package static func make(_ bytes: some Sequence<UInt8>) -> String {
        String(decoding: bytes.map { (0x20...0x7E).contains($0) ? $0 : 0x3F }, as: UTF8.self)
    }
}
