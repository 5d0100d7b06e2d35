import ClusterModel
import TendrilCore

/// Admission plug-ins of kube-apiserver: ours, and those that an owner chooses (Kubernetes documentation, "Admission Control in
/// Kubernetes").
enum AdmissionPlugins {
    /// So many may stand in one list.
    private static let most = 32
    /// Keeps nodes to what is theirs; it is no release's own choice.
    private static let own = "NodeRestriction"

    /// Plug-ins that nobody does without, each with what would be lost.
    private static let needed = [
        "CertificateApproval": "keeps people from having certificates approved that are not theirs to approve",
        "CertificateSigning": "keeps people from signing for those whose certificates are not theirs to sign",
        "CertificateSubjectRestriction": "keeps people from becoming system:masters",
        "ClusterTrustBundleAttest": "keeps people from publishing CAs in another's name",
        "NamespaceLifecycle": "keeps namespaces that are going from being filled",
        "ResourceQuota": "keeps load balancers and volumes from coming anew while a shoot is deleted",
        own: "keeps a node from changing what is not its own",
        "ServiceAccount": "is what pods have their identity by",
    ]

    /// Plug-ins that nobody may add, each with the reason.
    private static let unfit = [
        "AlwaysDeny": "refuses everything, ours too",
        "EventRateLimit": "needs a configuration that cannot be given here",
        "ImagePolicyWebhook": "needs a configuration that cannot be given here",
        "PodSecurityPolicy": "is gone from Kubernetes 1.25 on, and refuses pods of kube-system",
        "SecurityContextDeny": "is gone from Kubernetes 1.30 on, and refuses pods of kube-system",
    ]

    /// The flag for those that are added.
    static func enabling(_ wanted: Shoot.AdmissionPlugins?) -> String {
        let names = [own] + (wanted?.enable ?? []).filter { $0 != own }.sorted()
        return "--enable-admission-plugins=\(names.joined(separator: ","))"
    }

    /// The flag for those that are taken away; none where nothing is.
    static func disabling(_ wanted: Shoot.AdmissionPlugins?) -> [String] {
        let names = (wanted?.disable ?? []).sorted()
        return names.isEmpty ? [] : ["--disable-admission-plugins=\(names.joined(separator: ","))"]
    }

    /// What is wrong with an owner's choice.
    static func problems(_ wanted: Shoot.AdmissionPlugins?, at path: String) -> [ConfigurationProblem] {
        let (enabled, disabled) = (wanted?.enable ?? [], wanted?.disable ?? [])
        var problems = judged(enabled, at: "\(path).enable") { name in unfit[name].map { "cannot be added: it \($0)" } }
        problems += judged(disabled, at: "\(path).disable") { name in
            if let loss = needed[name] { return "cannot be done without: it \(loss)" }
            return enabled.contains(name) ? "\(name) is in enable, too" : nil
        }
        return problems
    }

    private static func judged(
        _ names: [String],
        at path: String,
        _ refusal: (String) -> String?
    ) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        var seen: Set<String> = []
        problems.require(names.count <= most, path, "has more than \(most) plug-ins")
        for (index, name) in names.enumerated() {
            let field = "\(path)[\(index)]"
            if !KubernetesName.isValid(name) {
                problems.add(field, "is no plug-in's name")
            } else if !seen.insert(name).inserted {
                problems.add(field, "\(name) is there twice")
            } else if let reason = refusal(name) {
                problems.add(field, reason)
            }
        }
        return problems
    }
}
