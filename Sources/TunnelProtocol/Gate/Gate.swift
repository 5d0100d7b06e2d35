package import TendrilCore

/// Decides, before any private-key operation, whether a connection may go on to TLS.
package struct Gate: Sendable {
    /// Why a connection was turned away; its raw value is the label of the metric.
    package enum Refusal: String, Error, Sendable, CaseIterable {
        case notTLS = "not-tls"
        case noToken = "no-token"
        case badToken = "bad-token"
        case clock = "clock"
        case replay = "replay"
    }

    /// As long as any token can be valid, in seconds, and the grain of the table.
    private static var memory: UInt64 { 2 * (GateToken.tolerance + GateToken.granularity) + 8 }

    private let seen = SightingTable(buckets: 2048)

    package init() {}

    /// Admits a hello or says why not.
    ///
    /// - Parameters:
    ///   - hello: what the connection began with.
    ///   - unixTime: this side's time in seconds since 1970.
    ///   - now: the moment on the monotonic clock.
    ///   - verify: whether a MAC belongs to a message under one of the gate keys, in constant time.
    /// - Throws: `Refusal` where it is not.
    package func admit(
        _ hello: ClientHello,
        unixTime: UInt64,
        at now: MonotonicTime,
        verify: (_ message: [UInt8], _ mac: [UInt8]) -> Bool
    ) throws(Refusal) {
        guard let bytes = hello.gate else { throw .noToken }
        guard let token = GateToken(bytes) else { throw .badToken }
        guard verify(GateToken.message(random: hello.random, time: token.time), token.mac) else { throw .badToken }
        let distance = token.time > unixTime ? token.time - unixTime : unixTime - token.time
        guard distance <= GateToken.tolerance + GateToken.granularity else { throw .clock }
        // The random is the client's, but only a holder of the key gets this far.
        let hash = hello.random.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        guard !seen.wasSeen(hash, within: Self.memory, at: now) else {
            throw .replay
        }
        seen.note(hash, at: now)
    }
}
