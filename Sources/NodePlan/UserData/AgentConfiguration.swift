import ClusterModel
package import TendrilCore

/// agent.tendril.dev/v1alpha1 AgentConfiguration: how an agent finds and believes its cluster.
package struct AgentConfiguration: Codable, Hashable, Sendable {
    package static let apiVersion = "agent.tendril.dev/v1alpha1"
    package static let kind = "AgentConfiguration"
    package static let path = "/etc/tendril/agent.yaml"
    package static let tokenPath = "/etc/tendril/bootstrap-token"

    /// A proxy for the API server's address.
    package struct Proxy: Codable, Hashable, Sendable {
        /// Its address, as `http://host:port`.
        package var url: String
        /// Hosts that are reached directly.
        package var noProxy: [String]?
    }

    package var apiVersion: String
    package var kind: String
    /// The cluster's technical ID.
    package var cluster: String
    package var pool: String
    /// `https://host:port` of each of the API server's addresses, tried in this order.
    package var apiServers: [String]
    /// The CA bundle of the API server in PEM.
    package var certificateAuthority: String?
    /// `sha256:` and the hexadecimal digest of a CA's public key, as kubeadm has it; the bundle is then fetched.
    package var certificateAuthorityPins: [String]?
    /// Ed25519 keys, in base64, of which one signs every NodeConfiguration.
    package var configurationKeys: [String]
    /// The file with the bootstrap token; `/etc/tendril/bootstrap-token` where it is missing.
    package var tokenFile: String?
    /// The name of the Node; the machine's host name in lower case where it is missing.
    package var machineName: String?
    /// What the machine has from its start for good, in one word; configurations of another class are not for it.
    package var machineClass: String?
    package var proxy: Proxy?
    /// `ADDRESS:PORT` for metrics and health; none where it is missing.
    package var metrics: String?
    /// `trace` to `critical`; `info` where it is missing.
    package var logLevel: String?
    /// `text` or `json`; `text` where it is missing.
    package var logFormat: String?

    package init(cluster: String, pool: String, apiServers: [String], configurationKeys: [String]) {
        (apiVersion, kind) = (Self.apiVersion, Self.kind)
        (self.cluster, self.pool, self.apiServers) = (cluster, pool, apiServers)
        self.configurationKeys = configurationKeys
    }

    /// Every problem; none means that it can be used.
    package var problems: [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        problems.require(apiVersion == Self.apiVersion, "apiVersion", "must be \(Self.apiVersion)")
        problems.require(kind == Self.kind, "kind", "must be \(Self.kind)")
        problems.require(NodeName.isLabel(cluster), "cluster", "is no DNS label in lower case")
        problems.require(NodeName.isLabel(pool), "pool", "is no DNS label in lower case")
        problems.require(!apiServers.isEmpty, "apiServers", "is empty")
        for (index, server) in apiServers.enumerated() where !Self.isServer(server) {
            problems.add("apiServers[\(index)]", "is not https://HOST:PORT")
        }
        let pins = certificateAuthorityPins ?? []
        problems.require(
            certificateAuthority != nil || !pins.isEmpty,
            "certificateAuthority",
            "is missing, and so are certificateAuthorityPins"
        )
        problems.require(
            certificateAuthority == nil || pins.isEmpty,
            "certificateAuthorityPins",
            "go not together with certificateAuthority"
        )
        problems.require(
            certificateAuthority?.contains("-----BEGIN CERTIFICATE-----") ?? true,
            "certificateAuthority",
            "holds no certificate in PEM"
        )
        for (index, pin) in pins.enumerated() where !Self.isPin(pin) {
            problems.add("certificateAuthorityPins[\(index)]", "is not sha256: and 64 hexadecimal digits")
        }
        problems.require(!configurationKeys.isEmpty, "configurationKeys", "is empty")
        for (index, key) in configurationKeys.enumerated() where [UInt8](base64: key)?.count != 32 {
            problems.add("configurationKeys[\(index)]", "is no Ed25519 key in base64")
        }
        problems.require(tokenFile.map(NodePath.isPlain) ?? true, "tokenFile", "is no absolute path")
        problems.require(machineName.map(NodeName.isValid) ?? true, "machineName", "is no DNS name in lower case")
        problems.require(
            proxy.map { $0.url.hasPrefix("http://") && Self.isPlain($0.url) } ?? true,
            "proxy.url",
            "is not http://HOST:PORT"
        )
        problems.require(
            (proxy?.noProxy ?? []).allSatisfy(Self.isPlain),
            "proxy.noProxy",
            "holds spaces, commas or control characters"
        )
        problems.require(
            machineClass.map(ClassName.isValid) ?? true,
            "machineClass",
            "is no word of 1 to 253 characters"
        )
        problems.require(metrics.map { Endpoint($0) != nil } ?? true, "metrics", "is not ADDRESS:PORT")
        problems += LogChoice.problems(level: logLevel, format: logFormat)
        return problems
    }

    /// Whether a text is where an API server is, as `https://host:port`.
    package static func isServer(_ text: String) -> Bool {
        let rest = text.dropFirst("https://".count)
        return text.hasPrefix("https://") && !rest.isEmpty && isPlain(String(rest))
            && !rest.contains { "/@?#".contains($0) }
    }

    private static func isPin(_ text: String) -> Bool {
        text.hasPrefix("sha256:") && DigestText.isSHA256(text.dropFirst("sha256:".count))
    }

    private static func isPlain(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { $0.isVisible && $0 != 0x2C && $0 != 0x22 && $0 != 0x5C }
    }
}
