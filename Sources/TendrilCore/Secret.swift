/// Bytes that must not be shown: they redact themselves in text and are overwritten when released.
package final class Secret: Sendable, CustomStringConvertible, CustomReflectable {
    private let storage: FlatBuffer

    /// Copies `bytes`; the caller's copy stays the caller's to clear.
    package init(_ bytes: some Collection<UInt8>) {
        var storage = FlatBuffer(capacity: max(bytes.count, 1))
        for byte in bytes { storage.append(byte) }
        self.storage = storage
    }

    deinit { storage.erase() }

    package var count: Int { storage.count }

    /// Lends the bytes for the length of the call.
    package func withBytes<Result>(_ body: (RawSpan) -> Result) -> Result { storage.withReadable(body) }

    /// The bytes as text, for a message that has to hold them.
    package var text: String { String(decoding: storage.copied, as: UTF8.self) }

    /// A copy that is the caller's to keep from others' eyes: to be written to a file of its owner's only.
    package var copied: [UInt8] { storage.copied }

    package var description: String { "<secret of \(count) bytes>" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
