internal import NodePlan

/// Whom the user data has the machine believe.
struct Beliefs: Codable, Hashable, Sendable {
    private let certificateAuthority: String?
    private let certificateAuthorityPins: [String]?
    private let configurationKeys: [String]

    init(_ configuration: AgentConfiguration) {
        certificateAuthority = configuration.certificateAuthority
        certificateAuthorityPins = configuration.certificateAuthorityPins
        configurationKeys = configuration.configurationKeys
    }
}
