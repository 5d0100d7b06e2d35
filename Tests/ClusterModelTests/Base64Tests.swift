import ClusterModel
import Testing

@Suite("Base64")
struct Base64Tests {
    /// RFC 4648 section 10.
    @Test(
        "stands for bytes, there and back",
        arguments: [("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
    )
    func vectors(_ plain: String, _ text: String) {
        #expect(Array(plain.utf8).base64 == text && [UInt8](base64: text) == Array(plain.utf8))
    }

    @Test("is nothing else", arguments: ["Zg", "Zg=", "Z g==", "Zm9v!", "-_-_"])
    func refused(_ text: String) {
        #expect([UInt8](base64: text) == nil)
    }
}
