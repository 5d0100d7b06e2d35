import ClusterModel
import NodePlan
import TendrilCore

/// The identity provider by whose tokens people log in: what kube-apiserver is told of it, and the way that leads there.
///
/// That way is the link, as for all that kube-apiserver asks in an owner's name: a node connects to the issuer, and the seed's
/// network stays closed. Source: Kubernetes documentation, "Authenticating", "OpenID Connect Tokens".
enum IdentityProvider {
    /// The file's name beside kube-apiserver's other configuration.
    static let file = "authentication.json"

    /// The provider of a shoot; `nil` where there is none, or where its release would ask it from the seed's network.
    private static func provider(_ spec: Shoot.Spec) -> (oidc: Shoot.OIDC, traits: KubernetesTraits)? {
        guard let oidc = spec.controlPlane.oidc, let version = KubernetesVersion(spec.kubernetes.version) else {
            return nil
        }
        let traits = KubernetesTraits(version)
        return traits.asksIssuersByEgress ? (oidc, traits) : nil
    }

    /// What kube-apiserver is told of it.
    static func flags(_ spec: Shoot.Spec) -> [String] {
        provider(spec) == nil ? [] : ["--authentication-config=/srv/configuration/\(file)"]
    }

    /// The file that it is told it by; `nil` where there is none.
    static func document(_ spec: Shoot.Spec) -> JSONValue? {
        guard let (oidc, traits) = provider(spec) else { return nil }
        var issuer: JSONValue = [
            "url": .string(oidc.issuerURL), "audiences": [.string(oidc.clientID)], "egressSelectorType": "cluster",
        ]
        if let authority = oidc.certificateAuthority {
            issuer = issuer.merging(["certificateAuthority": .string(authority)])
        }
        var mappings = ["username": mapping(oidc.usernameClaim, oidc.usernamePrefix)]
        if let claim = oidc.groupsClaim { mappings["groups"] = mapping(claim, oidc.groupsPrefix) }
        let claims = (oidc.requiredClaims ?? [:]).sorted { $0.key < $1.key }.map { claim, value -> JSONValue in
            ["claim": .string(claim), "requiredValue": .string(value)]
        }
        let authenticator: JSONValue = [
            "issuer": issuer, "claimValidationRules": .array(claims), "claimMappings": .object(mappings),
        ]
        return [
            "apiVersion": .string(traits.authenticationVersion), "kind": "AuthenticationConfiguration",
            "jwt": [authenticator],
        ]
    }

    private static func mapping(_ claim: String, _ prefix: String) -> JSONValue {
        ["claim": .string(claim), "prefix": .string(prefix)]
    }

    /// Where streams have to lead besides the shoot's networks, `HOST:PORT` each; none where nobody is asked.
    static func targets(_ spec: Shoot.Spec) -> [String] {
        guard let (oidc, _) = provider(spec) else { return [] }
        let hosts = [issuer(oidc.issuerURL)] + (oidc.additionalHosts ?? []).map(host)
        return Set(hosts.compactMap { $0?.description }).sorted()
    }

    /// The host and port of an issuer's URL; `nil` for anything but an https URL of a named host, without user, query and fragment.
    static func issuer(_ text: String) -> Endpoint? {
        let scheme = "https://"
        guard text.hasPrefix(scheme), text.utf8.count <= 2048 else { return nil }
        let rest = text.dropFirst(scheme.count)
        guard rest.utf8.allSatisfy(isOfURL) else { return nil }
        return host(String(rest.prefix { $0 != "/" }))
    }

    /// The host and port that `HOST` or `HOST:PORT` says, the host in lower case; `nil` where it is no name.
    static func host(_ text: String) -> Endpoint? {
        guard let endpoint = Endpoint(text.contains(":") ? text : "\(text):443"), endpoint.port > 0,
            Endpoint.isHostName(endpoint.host), endpoint.host.split(separator: ".").last?.utf8.first?.isLetter == true
        else { return nil }
        return Endpoint(host: endpoint.host.lowercased(), port: endpoint.port)
    }

    /// Whether a byte stands for itself in an authority or a path (RFC 3986, section 3.3), without `@`.
    private static func isOfURL(_ byte: UInt8) -> Bool {
        byte.isLetter || byte.isDigit || "-._~!$&'()*+,;=:/".utf8.contains(byte)
    }
}
