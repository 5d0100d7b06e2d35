/// A keyed hash that outsiders cannot aim (SipHash-1-3: Aumasson and Bernstein, "SipHash: a fast short-input PRF").
package struct SipHash: Sendable {
    private let key0: UInt64
    private let key1: UInt64

    /// Makes a hash under a 128-bit key.
    package init(key: (UInt64, UInt64)) { (key0, key1) = key }

    /// Makes a hash under a random key.
    package init() { self.init(key: (.random(in: .min ... .max), .random(in: .min ... .max))) }

    /// Hashes five words.
    @inline(__always)
    package func hash(_ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64, _ e: UInt64) -> UInt64 {
        var state = State(key0, key1)
        state.absorb(a)
        state.absorb(b)
        state.absorb(c)
        state.absorb(d)
        state.absorb(e)
        // 40 bytes were absorbed; their count is the last word's upper byte.
        state.absorb(40 << 56)
        return state.finish()
    }

    private struct State {
        var v0, v1, v2, v3: UInt64

        @inline(__always)
        init(_ key0: UInt64, _ key1: UInt64) {
            v0 = key0 ^ 0x736f_6d65_7073_6575
            v1 = key1 ^ 0x646f_7261_6e64_6f6d
            v2 = key0 ^ 0x6c79_6765_6e65_7261
            v3 = key1 ^ 0x7465_6462_7974_6573
        }

        @inline(__always)
        mutating func absorb(_ word: UInt64) {
            v3 ^= word
            round()
            v0 ^= word
        }

        @inline(__always)
        mutating func finish() -> UInt64 {
            v2 ^= 0xFF
            round()
            round()
            round()
            return v0 ^ v1 ^ v2 ^ v3
        }

        @inline(__always)
        mutating func round() {
            v0 = v0 &+ v1
            v1 = rotate(v1, 13) ^ v0
            v0 = rotate(v0, 32)
            v2 = v2 &+ v3
            v3 = rotate(v3, 16) ^ v2
            v0 = v0 &+ v3
            v3 = rotate(v3, 21) ^ v0
            v2 = v2 &+ v1
            v1 = rotate(v1, 17) ^ v2
            v2 = rotate(v2, 32)
        }

        @inline(__always)
        private func rotate(_ value: UInt64, _ count: UInt64) -> UInt64 { value &<< count | value &>> (64 &- count) }
    }
}
