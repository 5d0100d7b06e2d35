/// Cuts a stream of bytes into lines.
struct LineSplitter: Sendable {
    private let limit: Int
    private var rest: [UInt8] = []

    init(limit: Int) { self.limit = limit }

    /// The whole lines that are there now, without their ends; `nil` where one is longer than the limit.
    mutating func take(_ bytes: UnsafeRawBufferPointer) -> [[UInt8]]? {
        var lines: [[UInt8]] = []
        for byte in bytes {
            if byte == 0x0A {
                if !rest.isEmpty { lines.append(rest) }
                rest = []
            } else {
                guard rest.count < limit else { return nil }
                rest.append(byte)
            }
        }
        return lines
    }
}
