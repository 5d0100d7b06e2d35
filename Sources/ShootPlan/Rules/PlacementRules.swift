import ClusterModel
import NodePlan
import TendrilCore

/// Judges on which nodes a Seed wants control planes, and by what it has their images pulled (core/v1 validation,
/// `ValidateTolerations`).
enum PlacementRules {
    /// A copy's name is longer by its beginning.
    private static let longestSecretName = 248

    /// What is wrong with it, each with its field.
    static func problems(_ seed: Seed.Spec) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        for (key, value) in (seed.placement?.nodeSelector ?? [:]).sorted(by: { $0.key < $1.key }) {
            let path = "spec.placement.nodeSelector[\(key)]"
            problems.require(LabelRules.isKey(key), path, "is no label's key")
            problems.require(LabelRules.isValue(value), path, "is no label's value")
        }
        for (index, toleration) in (seed.placement?.tolerations ?? []).enumerated() {
            problems += Self.problems(toleration, at: "spec.placement.tolerations[\(index)]")
        }
        var seen: Set<String> = []
        for (index, name) in (seed.imagePullSecrets ?? []).enumerated() {
            let path = "spec.imagePullSecrets[\(index)]"
            let isName = NodeName.isValid(name) && name.utf8.count <= longestSecretName
            problems.require(isName, path, "is no Secret's name of at most \(longestSecretName) bytes")
            problems.require(seen.insert(name).inserted, path, "\(name) is there twice")
        }
        return problems
    }

    private static func problems(_ toleration: Seed.Toleration, at path: String) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        func check(_ holds: Bool, _ field: String, _ reason: String) {
            problems.require(holds, "\(path).\(field)", reason)
        }
        let kind = toleration.operator ?? "Equal"
        check(["Equal", "Exists"].contains(kind), "operator", "is neither Equal nor Exists")
        if let key = toleration.key {
            check(LabelRules.isKey(key), "key", "is no taint's key")
        } else {
            check(kind == "Exists", "operator", "has to be Exists where there is no key")
        }
        if let value = toleration.value {
            check(kind == "Equal", "value", "is for Equal only")
            check(LabelRules.isValue(value), "value", "is no taint's value")
        }
        if let effect = toleration.effect {
            let effects = Node.Taint.effects
            check(effects.contains(effect), "effect", "is none of \(effects.joined(separator: ", "))")
        }
        if let seconds = toleration.tolerationSeconds {
            check(toleration.effect == "NoExecute", "tolerationSeconds", "is for NoExecute only")
            check(seconds >= 0, "tolerationSeconds", "is negative")
        }
        return problems
    }
}
