internal import LinuxSystem
internal import TendrilCore

/// An archive as POSIX.1-1988 has it (ustar).
struct TarArchive {
    private var bytes: [UInt8] = []

    /// Adds a file; the name is cut to 100 bytes.
    mutating func add(_ name: String, _ text: String) {
        let content = Array(text.utf8)
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int) {
            header.replaceSubrange(offset..<(offset + text.utf8.count), with: text.utf8)
        }
        put(String(decoding: Array(name.utf8.prefix(100)), as: UTF8.self), at: 0)
        put("0000600", at: 100)
        put("0000000", at: 108)
        put("0000000", at: 116)
        put(content.count.digits(11, radix: 8), at: 124)
        put(Clock.unixTime().digits(11, radix: 8), at: 136)
        put("        ", at: 148)
        put("0", at: 156)
        put("ustar", at: 257)
        put("00", at: 263)
        let sum = header.reduce(0) { $0 + Int($1) }
        put(sum.digits(6, radix: 8), at: 148)
        header[154] = 0
        bytes += header + content + [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
    }

    /// The whole archive.
    var finished: [UInt8] { bytes + [UInt8](repeating: 0, count: 1024) }
}
