package import TendrilCore

/// Remembers when something was last seen, in bounded memory and without locks.
///
/// Any thread notes and asks at any time. An entry is one word: 48 bits of a keyed hash that tell the thing, 16 bits
/// that tell when it was last seen. Where a bucket is full the oldest entry goes; a lost race costs one entry.
package final class SightingTable: Sendable {
    private static var slotsPerBucket: Int { 8 }
    private static var secondsPerTick: UInt64 { 4 }

    private let words: AtomicWords
    private let bucketMask: UInt64

    /// Makes an empty table of `buckets`, a power of two; each holds 8 sightings of 8 bytes.
    package init(buckets: Int) {
        precondition(buckets > 0 && buckets & (buckets - 1) == 0, "the number of buckets is a power of two")
        words = AtomicWords(count: buckets * Self.slotsPerBucket)
        bucketMask = UInt64(buckets - 1)
    }

    /// How many sightings fit.
    package var capacity: Int { words.count }

    /// Notes that what hashes to `hash` was seen.
    package func note(_ hash: UInt64, at now: MonotonicTime) {
        let place = Place(hash, bucketMask)
        let tick = Self.tick(now)
        var victim = place.first
        var oldest: UInt16 = 0
        for slot in place.first..<(place.first + Self.slotsPerBucket) {
            let word = words.load(slot)
            if word >> 16 == place.tag {
                if UInt16(truncatingIfNeeded: word) != tick { words.store(place.tag << 16 | UInt64(tick), at: slot) }
                return
            }
            let age = word == 0 ? .max : Self.ticks(from: word, to: tick)
            if age >= oldest { (victim, oldest) = (slot, age) }
        }
        words.store(place.tag << 16 | UInt64(tick), at: victim)
    }

    /// Whether what hashes to `hash` was seen within `lifetime` seconds, to 4 s.
    package func wasSeen(_ hash: UInt64, within lifetime: UInt64, at now: MonotonicTime) -> Bool {
        let place = Place(hash, bucketMask)
        for slot in place.first..<(place.first + Self.slotsPerBucket) {
            let word = words.load(slot)
            if word >> 16 == place.tag { return Self.age(of: word, at: now) <= lifetime }
        }
        return false
    }

    /// Forgets what is older than `lifetime` seconds; to be called before the 16-bit time comes round (72 h).
    ///
    /// - Returns: how many sightings are left.
    package func sweep(olderThan lifetime: UInt64, at now: MonotonicTime) -> Int {
        var left = 0
        for slot in 0..<words.count {
            let word = words.load(slot)
            guard word != 0 else { continue }
            if Self.age(of: word, at: now) > lifetime { words.store(0, at: slot) } else { left += 1 }
        }
        return left
    }

    private static func tick(_ now: MonotonicTime) -> UInt16 {
        UInt16(truncatingIfNeeded: now.seconds / secondsPerTick)
    }

    /// In seconds.
    private static func age(of word: UInt64, at now: MonotonicTime) -> UInt64 {
        UInt64(ticks(from: word, to: tick(now))) * secondsPerTick
    }

    /// What another thread noted with a slightly later clock is new, not as old as can be.
    private static func ticks(from word: UInt64, to tick: UInt16) -> UInt16 {
        let age = tick &- UInt16(truncatingIfNeeded: word)
        return age >= 0xFF00 ? 0 : age
    }

    private struct Place {
        let first: Int
        /// 48 bits of the hash, never zero, so that an entry is never the empty word.
        let tag: UInt64

        init(_ hash: UInt64, _ mask: UInt64) {
            first = Int(hash & mask) * SightingTable.slotsPerBucket
            tag = max(hash >> 16, 1)
        }
    }
}
