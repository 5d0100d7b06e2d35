package import TendrilCore

/// A bootstrap token (Kubernetes documentation, "Authenticating with Bootstrap Tokens"): `abcdef.0123456789abcdef`.
package struct BootstrapToken: Sendable {
    /// Six characters that may be shown.
    package let id: String
    /// All of it.
    package let secret: Secret
    /// The part behind the dot, with which `cluster-info` is signed.
    package let signingSecret: Secret

    /// Takes the text of a token; `nil` for anything else.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, Self.isPart(parts[0], length: 6), Self.isPart(parts[1], length: 16) else { return nil }
        id = String(parts[0])
        secret = Secret(Array(text.utf8))
        signingSecret = Secret(Array(parts[1].utf8))
    }

    /// The user that the API server takes its bearer for.
    package static let userPrefix = "system:bootstrap:"
    /// The group that our pools' tokens carry, besides Kubernetes' own `system:bootstrappers`.
    package static let group = "system:bootstrappers:tendril"

    /// The name of the Secret that holds the token with this id.
    package static func secretName(id: String) -> String { "bootstrap-token-\(id)" }

    private static func isPart(_ text: some StringProtocol, length: Int) -> Bool {
        text.utf8.count == length && text.utf8.allSatisfy { $0.isLowercase || $0.isDigit }
    }
}
