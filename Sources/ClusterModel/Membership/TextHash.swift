/// A number for a text, the same in all processes and releases; similar texts have numbers far from one another.
package enum TextHash {
    /// FNV-1a with the finalizer of SplitMix64, for FNV alone spreads similar texts badly.
    package static func value(_ text: String) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        hash = (hash ^ (hash >> 30)) &* 0xBF58_476D_1CE4_E5B9
        hash = (hash ^ (hash >> 27)) &* 0x94D0_49BB_1331_11EB
        return hash ^ (hash >> 31)
    }
}
