package import ClusterModel
internal import TendrilCore

/// A snapshot in the bucket.
package struct StoredSnapshot: Hashable, Sendable {
    /// Where it is in the bucket.
    package let key: String
    /// When it was made, in UTC: `20261129T063809Z`.
    package let name: String
    /// The same in seconds since 1970.
    package let time: UInt64
    /// In bytes.
    package let size: Int

    /// Takes what the store tells of an object; `nil` where that is no snapshot of the shoot with this folder.
    package init?(key: String, size: Int, in folder: String) {
        guard size >= 0, key.hasPrefix(folder), key.hasSuffix(SnapshotPlan.ending) else { return nil }
        let name = String(key.dropFirst(folder.count).dropLast(SnapshotPlan.ending.count))
        guard let time = SnapshotPlan.time(of: name) else { return nil }
        (self.key, self.name, self.time, self.size) = (key, name, time, size)
    }

    /// What the shoot's status says of it.
    package var told: ShootStatus.Snapshot {
        ShootStatus.Snapshot(name: name, time: KubernetesTime.text(seconds: time), size: size)
    }
}

/// When snapshots of a shoot are made, what they are called, and which of them go.
package enum SnapshotPlan {
    /// What keys end with.
    package static let ending = ".snapshot"
    /// How often snapshots may be made, in minutes: what a CronJob can say for every hour or day alike.
    package static let intervals = [10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720, 1440]
    /// How many the status names.
    package static let told = 24

    /// What the keys of one shoot begin with, and of no other: one that is made again under its name has another UID.
    ///
    /// - Parameters:
    ///   - settings: of the seed, without problems.
    ///   - id: the shoot's technical ID.
    ///   - uid: of the Shoot.
    /// - Returns: the folder with a slash at its end; `nil` where there is no UID, or one that is none.
    package static func folder(_ settings: Seed.Snapshots, id: String, uid: String?) -> String? {
        guard let uid, (1...64).contains(uid.utf8.count), uid.utf8.allSatisfy({ isPlain($0) && $0 != 0x2E }) else {
            return nil
        }
        return (settings.prefix.map { "\($0)/" } ?? "") + "\(id)/\(uid)/"
    }

    /// What a snapshot of a moment is called: only of characters that mean nothing in a URL, and later ones after earlier.
    ///
    /// - Parameter time: in seconds since 1970.
    /// - Returns: such as `20261129T063809Z`.
    package static func name(at time: UInt64) -> String {
        KubernetesTime.text(seconds: time).filter { $0 != "-" && $0 != ":" }
    }

    /// When a snapshot of this name was made, in seconds since 1970; `nil` for all other names.
    package static func time(of name: String) -> UInt64? {
        let bytes = Array(name.utf8)
        guard bytes.count == 16 else { return nil }
        func part(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
        let date = "\(part(0..<4))-\(part(4..<6))-\(part(6..<11))"
        let text = "\(date):\(part(11..<13)):\(part(13..<16))"
        guard let time = KubernetesTime.seconds(text), self.name(at: time) == name else { return nil }
        return time
    }

    /// When the CronJob of a shoot makes snapshots: all shoots at times of their own.
    ///
    /// - Parameters:
    ///   - minutes: the interval, one of `intervals`.
    ///   - id: the shoot's technical ID.
    /// - Returns: five fields of crontab(5).
    package static func schedule(every minutes: Int, of id: String) -> String {
        let place = SnapshotPlan.place(of: id)
        guard minutes >= 60 else { return "\(place % UInt64(max(minutes, 1)))-59/\(minutes) * * * *" }
        let hours = UInt64(minutes / 60)
        return hours == 1 ? "\(place % 60) * * * *" : "\(place % 60) \(place / 60 % hours)-23/\(hours) * * *"
    }

    /// Of so many days, that of now among them, the last snapshot of each stays, whatever number is to stay: what destroys a cluster
    /// may be seen after a weekend.
    private static let days: UInt64 = 7

    /// The snapshots that go: the oldest beyond so many, but for the last of each of the last days, and never the newest.
    ///
    /// - Parameters:
    ///   - all: of a shoot, in any order; those that are ahead of now are no part of the number, and stay until they are not.
    ///   - keep: how many stay.
    ///   - now: in seconds since 1970.
    /// - Returns: those that go, the oldest first.
    package static func surplus(_ all: [StoredSnapshot], keep: Int, at now: UInt64) -> [StoredSnapshot] {
        let known = all.filter { !isAhead($0.time, of: now) }.sorted { $0.time < $1.time }
        let last = Dictionary(known.map { ($0.time / 86400, $0.time) }) { max($0, $1) }
        return known.dropLast(max(keep, 1)).filter { snapshot in
            let day = snapshot.time / 86400
            return last[day] != snapshot.time || day &+ days <= now / 86400
        }
    }

    /// Whether a moment is further ahead than clocks may differ: a node whose clock was wrong made a snapshot.
    ///
    /// - Parameters:
    ///   - time: in seconds since 1970.
    ///   - now: the same.
    /// - Returns: whether it is.
    package static func isAhead(_ time: UInt64, of now: UInt64) -> Bool { time > now && time - now > 3600 }

    /// Whether a shoot has been without a new snapshot for three intervals.
    ///
    /// - Parameters:
    ///   - times: when there were any, and since when they are made, in seconds since 1970; those that are ahead of now count for
    ///     nothing.
    ///   - minutes: the interval.
    ///   - now: in seconds since 1970.
    /// - Returns: whether it has.
    package static func isOverdue(since times: [UInt64], every minutes: Int, at now: UInt64) -> Bool {
        let patience = UInt64(min(max(minutes, 1), 1440)) * 180
        return now > patience && now - patience > times.filter { !isAhead($0, of: now) }.max() ?? 0
    }

    /// Whether a byte is a letter, a digit or one of `-._`, which stand for themselves in paths and signatures.
    static func isPlain(_ byte: UInt8) -> Bool {
        byte.isLetter || byte.isDigit || [0x2D, 0x2E, 0x5F].contains(byte)
    }

    /// FNV-1a with a last mix, as memberships have it: similar names are to be far apart.
    private static func place(of id: String) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in id.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        hash = (hash ^ (hash >> 30)) &* 0xBF58_476D_1CE4_E5B9
        return hash ^ (hash >> 31)
    }
}
