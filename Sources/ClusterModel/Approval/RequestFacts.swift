package import TendrilCore

/// What a request for a certificate holds, read from PKCS#10.
package struct RequestFacts: Hashable, Sendable {
    /// The common name, if there is exactly one, and nothing else in the subject but organisations.
    package var user: String?
    package var groups: [String]
    package var hosts: [String]
    package var addresses: [IPAddress]
    package var uris: [String]
    /// Names of other kinds, or malformed ones.
    package var otherNames: Int
    /// Extensions besides alternative names.
    package var otherExtensions: [String]
    /// P-256 or Ed25519.
    package var hasGoodKey: Bool
    /// SHA-256 of the public key in hexadecimal digits.
    package var keyDigest: String

    package init(
        user: String?,
        groups: [String] = [],
        hosts: [String] = [],
        addresses: [IPAddress] = [],
        uris: [String] = [],
        otherNames: Int = 0,
        otherExtensions: [String] = [],
        hasGoodKey: Bool = true,
        keyDigest: String
    ) {
        (self.user, self.groups, self.hosts, self.addresses) = (user, groups, hosts, addresses)
        (self.uris, self.otherNames, self.otherExtensions) = (uris, otherNames, otherExtensions)
        (self.hasGoodKey, self.keyDigest) = (hasGoodKey, keyDigest)
    }

    var namesNothingElse: Bool { hosts.isEmpty && addresses.isEmpty && uris.isEmpty && otherNames == 0 }
}
