/// The few things that the gate must know of a TLS ClientHello (RFC 8446 section 4.1.2), read before OpenSSL sees it.
package struct ClientHello: Hashable, Sendable {
    /// The longest hello that is waited for, in bytes: room for hybrid key shares, none for a flood.
    package static var maximumByteCount: Int { 8192 }

    /// The client's 32 random bytes.
    package let random: [UInt8]
    /// What the gate's extension holds, where there is one.
    package let gate: [UInt8]?

    /// What the bytes that have arrived so far are.
    package enum Reading: Hashable, Sendable {
        /// The start of a hello; at least this many bytes make it whole.
        case incomplete(needed: Int)
        /// No TLS ClientHello in a single record, or one with impossible lengths.
        case notTLS
        case complete(ClientHello)
    }

    /// Reads the start of a connection.
    package static func read(_ bytes: borrowing Span<UInt8>) -> Reading {
        guard bytes.count >= 5 else { return startsLikeHello(bytes) ? .incomplete(needed: 5) : .notTLS }
        let length = Int(bytes.u16(3))
        guard startsLikeHello(bytes), (40...(maximumByteCount - 5)).contains(length) else { return .notTLS }
        guard bytes.count >= 5 &+ length else { return .incomplete(needed: 5 &+ length) }
        guard bytes[5] == 1, Int(bytes[6]) << 16 | Int(bytes.u16(7)) == length &- 4 else { return .notTLS }
        var record: [UInt8] = []
        record.reserveCapacity(length)
        for index in 9..<(5 &+ length) { record.append(bytes[index]) }
        return parse(record).map(Reading.complete) ?? .notTLS
    }

    private static func startsLikeHello(_ bytes: borrowing Span<UInt8>) -> Bool {
        (bytes.count < 1 || bytes[0] == 22) && (bytes.count < 2 || bytes[1] == 3)
    }

    private static func parse(_ body: [UInt8]) -> ClientHello? {
        var cursor = WireCursor(body)
        guard cursor.number(bytes: 2) != nil, let random = cursor.take(32),
            let session = cursor.number(bytes: 1), session <= 32, cursor.take(Int(session)) != nil,
            let ciphers = cursor.number(bytes: 2), cursor.take(Int(ciphers)) != nil,
            let compressions = cursor.number(bytes: 1), cursor.take(Int(compressions)) != nil,
            let total = cursor.number(bytes: 2), let extensions = cursor.take(Int(total)), cursor.isAtEnd
        else { return nil }
        var inner = WireCursor(Array(extensions))
        var gate: [UInt8]?
        while !inner.isAtEnd {
            guard let type = inner.number(bytes: 2), let length = inner.number(bytes: 2),
                let value = inner.take(Int(length))
            else { return nil }
            if type == UInt64(GateToken.extensionType) {
                guard gate == nil else { return nil }
                gate = Array(value)
            }
        }
        return ClientHello(random: Array(random), gate: gate)
    }
}
