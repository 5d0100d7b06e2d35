package import FoundationEssentials
package import LinuxSystem

/// A generation with what proves it.
package struct SignedConfiguration: Codable, Hashable, Sendable {
    /// The name of the Secret that it came in.
    package var name: String
    /// The document, as it was signed.
    package var document: Data
    /// SHA-256 of the document in hexadecimal digits.
    package var checksum: String
    package var generation: Int

    package init(name: String, document: [UInt8], checksum: String, generation: Int) {
        (self.name, self.document) = (name, Data(document))
        (self.checksum, self.generation) = (checksum, generation)
    }
}

/// A generation on its way.
package struct PendingGeneration: Codable, Hashable, Sendable {
    package var configuration: SignedConfiguration
    /// The CA bundle that was believed before it, and before all that it took the place of; `nil` where that is not known.
    package var authority: Data?
    /// Whether the machine is no longer as the generation in force wants it.
    package var isBegun: Bool?
    /// When its kubelet was started last; `nil` where it was not.
    package var kubeletStart: Moment?
    /// Whether it was taken back once, when nobody could say that it was bad.
    package var isSecondTry: Bool?
    /// Whom the user data had the machine believe when it was taken; `nil` where that is not known.
    var beliefs: Beliefs?
    /// As earlier releases kept `kubeletStart`: in seconds since 1970.
    var begunAt: UInt64?

    /// The same as this release keeps it.
    ///
    /// - Parameter now: not before the kubelet was started.
    /// - Returns: itself where there is nothing of an earlier release in it.
    func migrated(at now: Moment = .now()) -> Self {
        guard let begunAt else { return self }
        var pending = self
        pending.begunAt = nil
        pending.kubeletStart = Moment(unixTime: begunAt, boot: now.boot, nanoseconds: now.nanoseconds)
        return pending
    }
}

/// A generation that was taken back.
package struct Rejection: Codable, Hashable, Sendable {
    package var checksum: String
    package var generation: Int
    package var reason: String
    /// Whether it may be tried once more: it was not seen to be bad, but nobody answered.
    package var isOpen: Bool?
}
