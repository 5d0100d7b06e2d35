/// Big-endian numbers in bytes; an offset past the end traps, so callers compare lengths first.
extension Span<UInt8> {
    @inline(__always)
    func u16(_ offset: Int) -> UInt16 { UInt16(self[offset]) << 8 | UInt16(self[offset &+ 1]) }

    @inline(__always)
    func u32(_ offset: Int) -> UInt32 { UInt32(u16(offset)) << 16 | UInt32(u16(offset &+ 2)) }

    @inline(__always)
    func u64(_ offset: Int) -> UInt64 { UInt64(u32(offset)) << 32 | UInt64(u32(offset &+ 4)) }
}

extension MutableSpan<UInt8> {
    @inline(__always)
    func u16(_ offset: Int) -> UInt16 { UInt16(self[offset]) << 8 | UInt16(self[offset &+ 1]) }

    @inline(__always)
    mutating func set(_ value: UInt16, at offset: Int) {
        self[offset] = UInt8(truncatingIfNeeded: value >> 8)
        self[offset &+ 1] = UInt8(truncatingIfNeeded: value)
    }

    @inline(__always)
    mutating func set(_ value: UInt32, at offset: Int) {
        set(UInt16(truncatingIfNeeded: value >> 16), at: offset)
        set(UInt16(truncatingIfNeeded: value), at: offset &+ 2)
    }

    @inline(__always)
    mutating func set(_ value: UInt64, at offset: Int) {
        set(UInt32(truncatingIfNeeded: value >> 32), at: offset)
        set(UInt32(truncatingIfNeeded: value), at: offset &+ 4)
    }
}

/// The Internet checksum and its arithmetic (RFC 1071, RFC 1624).
enum InternetChecksum {
    /// Folds a sum of 16-bit words to 16 bits.
    @inline(__always)
    static func fold(_ sum: UInt32) -> UInt16 {
        let once = (sum & 0xFFFF) &+ (sum >> 16)
        return UInt16(truncatingIfNeeded: (once & 0xFFFF) &+ (once >> 16))
    }

    /// The checksum field after a covered word changed from `old` to `new` (RFC 1624, equation 3).
    @inline(__always)
    static func updated(_ checksum: UInt16, from old: UInt16, to new: UInt16) -> UInt16 {
        ~fold(UInt32(~checksum) &+ UInt32(~old) &+ UInt32(new))
    }

}
