import ClusterModel
import NodePlan
import TendrilCore

/// Judges the identity provider that an owner has people log in by.
enum IdentityRules {
    /// Beginnings of names and groups that are Kubernetes' own, and ours.
    private static let reserved = ["system:", "tendril:"]

    /// Everything that is wrong with it, each with its field; nothing where there is none.
    static func problems(_ spec: Shoot.Spec, at path: String) -> [ConfigurationProblem] {
        guard let oidc = spec.controlPlane.oidc else { return [] }
        var problems: [ConfigurationProblem] = []
        func check(_ holds: Bool, _ field: String, _ reason: String) {
            problems.require(holds, "\(path).\(field)", reason)
        }
        if let version = KubernetesVersion(spec.kubernetes.version), !KubernetesTraits(version).asksIssuersByEgress {
            let reason = "an earlier API server asks the issuer from the seed's network, which is closed"
            problems.add(path, "needs Kubernetes 1.34: \(reason)")
        }
        let form = "is no https URL of a named host without user, query and fragment"
        check(IdentityProvider.issuer(oidc.issuerURL) != nil, "issuerURL", form)
        check(oidc.issuerURL != APIServer.tokenIssuer, "issuerURL", "is the cluster's own, of ServiceAccounts")
        check(isPlain(oidc.clientID, 253), "clientID", "is not 1 to 253 printable characters")
        for (field, claim) in [("usernameClaim", oidc.usernameClaim), ("groupsClaim", oidc.groupsClaim ?? "-")] {
            check(isPlain(claim, 128), field, "is not 1 to 128 printable characters")
        }
        for (field, prefix) in [("usernamePrefix", oidc.usernamePrefix), ("groupsPrefix", oidc.groupsPrefix)] {
            if let reason = fault(ofPrefix: prefix) { check(false, field, reason) }
        }
        let claims = oidc.requiredClaims ?? [:]
        check(claims.count <= 16, "requiredClaims", "has more than 16 claims")
        for (claim, value) in claims.sorted(by: { $0.key < $1.key }) {
            let field = "requiredClaims[\(claim)]"
            check(isPlain(claim, 128), field, "is no name of 1 to 128 printable characters")
            check(isPlain(value, 256), field, "has no value of 1 to 256 printable characters")
        }
        if let authority = oidc.certificateAuthority {
            check(isCertificates(authority), "certificateAuthority", "is no certificates in PEM of at most 32 KiB")
        }
        let hosts = oidc.additionalHosts ?? []
        check(hosts.count <= 8, "additionalHosts", "has more than 8 hosts")
        for (index, host) in hosts.enumerated() {
            check(IdentityProvider.host(host) != nil, "additionalHosts[\(index)]", "is no name of a host, or HOST:PORT")
        }
        return problems
    }

    /// Why a prefix does not keep names apart; `nil` where it does.
    ///
    /// What stands behind it is the provider's choice, or people's own: whatever that is, the whole must not begin as a name does that
    /// means something to Kubernetes or to us. A part of such a beginning is none either: `sys` before `tem:masters`.
    private static func fault(ofPrefix prefix: String) -> String? {
        guard isPlain(prefix, 64) else { return "is not 1 to 64 printable characters" }
        // To kube-apiserver's flags it means none.
        guard prefix != "-" else { return "has to be there: without one people could be given anybody's name" }
        guard !reserved.contains(where: { prefix.hasPrefix($0) || $0.hasPrefix(prefix) }) else {
            return "\(prefix) can become the beginning of \(reserved.joined(separator: " or ")), which are not people's"
        }
        return nil
    }

    /// Whether a text is 1 to so many printable characters of ASCII without spaces.
    private static func isPlain(_ text: String, _ most: Int) -> Bool {
        (1...most).contains(text.utf8.count) && text.utf8.allSatisfy(\.isVisible)
    }

    /// Whether a text is certificates in PEM and nothing else, as far as that is seen without reading them (RFC 7468).
    private static func isCertificates(_ text: String) -> Bool {
        let (begin, end) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----")
        guard text.utf8.count <= 32768 else { return false }
        var body: String?
        var count = 0
        for line in text.split(whereSeparator: \.isNewline) {
            switch (String(line), body) {
            case (begin, nil): body = ""
            case (end, let inner?):
                // Any certificate is a sequence (X.690).
                guard [UInt8](base64: inner)?.first == 0x30 else { return false }
                (body, count) = (nil, count + 1)
            case (let inner, let known?): body = known + inner
            default: return false
            }
        }
        return count > 0 && body == nil
    }
}
