package import TendrilCore

/// Tells when files that belong together are to be read again.
///
/// That is when they have changed and look the same twice, and some time after they could not be read or used: what was
/// missing for that may be there with no change to them, such as a descriptor, or a file that one of them names.
package struct FileChanges: Sendable {
    /// How long files that could not be read or used are left alone.
    package static let pause = Nanoseconds.seconds(60)

    private let paths: [String]
    /// The files that were read last; `nil` where they are to be read whatever they look like.
    private var read: [FileStamp?]?
    private var seen: [FileStamp?]
    /// When the same files are tried again; `nil` for never.
    private var again: MonotonicTime?

    /// Begins with files that somebody is about to read.
    package init(_ paths: [String]) {
        self.paths = paths
        seen = Self.stamps(paths)
        read = seen
    }

    /// Looks at the files, and reads them where that is due.
    ///
    /// - Parameters:
    ///   - now: the time of this look; looks are to be seconds apart.
    ///   - load: reads the files.
    /// - Returns: what was read; `nil` where nothing is due.
    /// - Throws: what `load` throws.
    package mutating func take<Content>(at now: MonotonicTime, _ load: () throws -> Content) throws -> Content? {
        let stamps = Self.stamps(paths)
        defer { seen = stamps }
        guard stamps == seen, stamps != read || again.map({ $0 <= now }) ?? false else { return nil }
        (read, again) = (stamps, nil)
        do {
            return try load()
        } catch {
            again = now + Self.pause
            throw error
        }
    }

    /// Has the next look read the files, whatever they look like.
    package mutating func forget() {
        read = nil
        seen = Self.stamps(paths)
    }

    private static func stamps(_ paths: [String]) -> [FileStamp?] { paths.map { FileStamp($0) } }
}
