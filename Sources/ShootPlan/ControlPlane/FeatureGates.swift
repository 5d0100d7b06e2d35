import TendrilCore

/// Feature gates that an owner sets: what a component is told of them, and which of them are not his to set (Kubernetes
/// documentation, "Feature Gates").
enum FeatureGates {
    /// So many may be set in one place.
    private static let most = 64

    /// Gates that nobody sets, each with what would be lost; whatever value it has, for there is no need of saying the good one.
    private static let ours = [
        "AllAlpha": "sets gates that nobody names",
        "AllBeta": "sets gates that nobody names",
        "AllowInsecureKubeletCertificateSigningRequests": "would let a node ask for another's certificate",
        "AuthorizeNodeWithSelectors": "keeps a node from reading what is another's",
        "AuthorizeWithSelectors": "keeps a node from reading what is another's",
        "DynamicKubeletConfig": "would have kubelets be other than their signed configuration says",
        "RotateKubeletClientCertificate": "is what kubelets get their certificates by",
        "RotateKubeletServerCertificate": "is what kubelets get their certificates by",
        "ServerSideApply": "is what everything of ours is written by",
        "ServiceAccountNodeAudienceRestriction": "keeps a node from asking for tokens for anybody",
        "StreamingProxyRedirects": "would let a kubelet send the API server elsewhere",
        "StructuredAuthenticationConfiguration": "is what keeps questions to an issuer out of the seed's network",
        "StructuredAuthenticationConfigurationEgressSelector":
            "is what keeps questions to an issuer out of the seed's network",
        "ValidateProxyRedirects": "keeps a kubelet from sending the API server elsewhere",
    ]

    /// What a component is told; nothing where no gate is set.
    static func flags(_ gates: [String: Bool]?) -> [String] {
        guard let gates, !gates.isEmpty else { return [] }
        let texts = gates.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        return ["--feature-gates=\(texts.joined(separator: ","))"]
    }

    /// What is wrong with gates of these names.
    static func problems(_ names: some Collection<String>, at path: String) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        problems.require(names.count <= most, path, "has more than \(most) gates")
        for name in names.sorted() {
            let field = "\(path)[\(name)]"
            if !KubernetesName.isValid(name) {
                problems.add(field, "is no gate's name")
            } else if let reason = ours[name] {
                problems.add(field, "is not to be set: it \(reason)")
            }
        }
        return problems
    }
}

/// Names of feature gates and admission plug-ins.
enum KubernetesName {
    /// Whether a text is a capital letter and 1 to 62 further letters and digits of ASCII.
    static func isValid(_ text: String) -> Bool {
        guard let first = text.utf8.first, (2...63).contains(text.utf8.count) else { return false }
        return first.isLetter && !first.isLowercase && text.utf8.allSatisfy { $0.isLetter || $0.isDigit }
    }
}
