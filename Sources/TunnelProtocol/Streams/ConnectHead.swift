internal import TendrilCore

/// The head of a CONNECT request (RFC 9110 section 9.3.6, RFC 9112 section 3), as kube-apiserver sends it.
package enum ConnectHead: Hashable, Sendable {
    /// More bytes are needed.
    case incomplete
    /// A request for a target; its head has so many bytes.
    case request(StreamTarget, length: Int)
    /// No request that can be answered with a connection.
    case bad(HTTPRefusal)

    /// The longest head in bytes.
    package static var maximumByteCount: Int { 8 * 1024 }

    /// Reads what has arrived so far.
    package static func read(_ bytes: borrowing Span<UInt8>) -> ConnectHead {
        guard let length = headLength(bytes) else {
            return bytes.count < maximumByteCount
                ? .incomplete : .bad(HTTPRefusal(431, "the head is larger than \(maximumByteCount) bytes"))
        }
        var lines: [String] = []
        var line: [UInt8] = []
        for index in 0..<(length - 2) {
            let byte = bytes[index]
            guard byte != 0x0D else { continue }
            if byte == 0x0A {
                lines.append(String(decoding: line, as: UTF8.self))
                line = []
            } else {
                line.append(byte)
            }
        }
        return read(lines, length: length)
    }

    private static func read(_ lines: [String], length: Int) -> ConnectHead {
        let words = (lines.first ?? "").split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, words[2] == "HTTP/1.1" || words[2] == "HTTP/1.0" else {
            return .bad(HTTPRefusal(400, "no HTTP/1.1 request"))
        }
        guard words[0] == "CONNECT" else { return .bad(HTTPRefusal(405, "only CONNECT is served here")) }
        // A head with a field that could be taken for another by somebody else is nobody's.
        guard lines.dropFirst().allSatisfy({ isField($0) }) else { return .bad(HTTPRefusal(400, "a malformed field")) }
        guard let target = StreamTarget(authority: String(words[1])) else {
            return .bad(HTTPRefusal(400, "the target is not HOST:PORT"))
        }
        return .request(target, length: length)
    }

    private static func isField(_ line: String) -> Bool {
        guard let colon = line.utf8.firstIndex(of: 0x3A) else { return false }
        return line.utf8.startIndex < colon && line.utf8[..<colon].allSatisfy(\.isVisible)
    }

    /// The length of the head with its empty line; `nil` while that has not come.
    private static func headLength(_ bytes: borrowing Span<UInt8>) -> Int? {
        guard bytes.count >= 4 else { return nil }
        for index in 3..<min(bytes.count, maximumByteCount)
        where bytes[index] == 0x0A && bytes[index - 1] == 0x0D && bytes[index - 2] == 0x0A && bytes[index - 3] == 0x0D {
            return index + 1
        }
        return nil
    }
}
