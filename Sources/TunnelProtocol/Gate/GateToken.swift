/// Proof, inside a ClientHello, that the sender holds the gate key: a MAC over the client random and a coarse time.
///
/// It spares the server every private-key operation for strangers. It authenticates nobody; TLS does that.
package struct GateToken: Hashable, Sendable {
    /// The extension's number, from the range for private use (RFC 8446 section 11).
    package static var extensionType: UInt16 { 0xFF54 }
    /// The length of the extension in bytes: version, time, MAC.
    package static var byteCount: Int { 1 + 8 + macByteCount }
    /// The length of the MAC, HMAC-SHA-256 (RFC 2104).
    package static var macByteCount: Int { 32 }
    /// How far the clocks of both sides may differ, in seconds.
    package static var tolerance: UInt64 { 300 }
    /// The time on the wire is cut to this many seconds.
    package static var granularity: UInt64 { 30 }

    private static var version: UInt8 { 1 }
    private static let label = Array("tendril gate v1".utf8)

    /// Seconds since 1970, cut to the granularity.
    package let time: UInt64
    package let mac: [UInt8]

    /// Makes the token for a hello that is being sent.
    ///
    /// - Parameters:
    ///   - random: the hello's client random.
    ///   - unixTime: the sender's time in seconds since 1970.
    ///   - authenticate: computes the MAC of a message under the gate key.
    package init(random: [UInt8], unixTime: UInt64, authenticate: ([UInt8]) -> [UInt8]) {
        time = unixTime - unixTime % Self.granularity
        mac = authenticate(Self.message(random: random, time: time))
    }

    /// Reads the extension's bytes.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.byteCount, bytes.first == Self.version else { return nil }
        time = bytes[1..<9].reduce(0) { $0 << 8 | UInt64($1) }
        mac = Array(bytes[9...])
    }

    /// The extension's bytes.
    package var payload: [UInt8] {
        var bytes = [Self.version]
        bytes.append(time, bytes: 8)
        return bytes + mac
    }

    /// What the MAC covers.
    package static func message(random: [UInt8], time: UInt64) -> [UInt8] {
        var bytes = label
        bytes.append(time, bytes: 8)
        return bytes + random
    }
}
