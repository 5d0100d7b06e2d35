internal import ClusterModel
package import TendrilCore

/// What a NodeConfiguration may say.
///
/// It is applied with all rights, so it is judged even after its signature was good.
package enum NodeConfigurationRules {
    package static let maximumFiles = 512
    package static let maximumUnits = 128
    package static let maximumFileBytes = 512 * 1024

    /// Every problem of a configuration; none means that it may be taken.
    package static func problems(_ configuration: NodeConfiguration) -> [ConfigurationProblem] {
        let taints = configuration.spec.kubelet?.taints ?? []
        return problemsOfTaken(configuration) + repeated(taints.map(\.mark), "spec.kubelet.taints", "taint")
    }

    /// The problems of a configuration that was taken; none means that it may be applied.
    ///
    /// What earlier releases did not see as a problem is not among them, for it may be in force.
    package static func problemsOfTaken(_ configuration: NodeConfiguration) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        problems.require(
            configuration.apiVersion == NodeConfiguration.apiVersion,
            "apiVersion",
            "must be \(NodeConfiguration.apiVersion)"
        )
        problems.require(configuration.kind == NodeConfiguration.kind, "kind", "must be \(NodeConfiguration.kind)")
        problems.require(
            NodeName.isLabel(configuration.metadata.pool),
            "metadata.pool",
            "is no DNS label in lower case"
        )
        problems.require(configuration.metadata.generation > 0, "metadata.generation", "must be 1 or more")
        return problems + problemsOfFields(configuration.spec) + problemsOfParts(configuration.spec)
    }

    /// What is wrong with single fields.
    private static func problemsOfFields(_ spec: NodeConfiguration.Spec) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        problems.require((1...1000).contains(spec.restartBudget ?? 1), "spec.restartBudget", "must be 1 to 1000")
        problems.require(
            (0...3600).contains(spec.health?.holdSeconds ?? 30),
            "spec.health.holdSeconds",
            "must be 0 to 3600"
        )
        problems.require(
            (1...3600).contains(spec.health?.timeoutSeconds ?? 300),
            "spec.health.timeoutSeconds",
            "must be 1 to 3600"
        )
        problems.require(
            spec.machineClass.map(ClassName.isValid) ?? true,
            "spec.machineClass",
            "is no word of 1 to 253 characters"
        )
        let authority = spec.certificateAuthority
        problems.require(
            authority?.contains("-----BEGIN CERTIFICATE-----") ?? true,
            "spec.certificateAuthority",
            "holds no certificate in PEM"
        )
        if let endpoint = spec.containerRuntime?.endpoint, !endpoint.hasPrefix("unix:///") {
            problems.add("spec.containerRuntime.endpoint", "must begin with unix:///")
        }
        if let unit = spec.containerRuntime?.unit, !UnitName.isValid(unit) {
            problems.add("spec.containerRuntime.unit", "is no unit's name")
        }
        return problems
    }

    /// What is wrong with what has parts, and whether they fit together.
    private static func problemsOfParts(_ spec: NodeConfiguration.Spec) -> [ConfigurationProblem] {
        let files = spec.files ?? []
        let units = spec.units ?? []
        var problems: [ConfigurationProblem] = []
        problems.require(files.count <= maximumFiles, "spec.files", "more than \(maximumFiles)")
        problems.require(units.count <= maximumUnits, "spec.units", "more than \(maximumUnits)")
        if let keys = spec.configurationKeys { problems += problemsOf(keys: keys) }
        if let issuers = spec.certificateIssuers { problems += problemsOf(issuers) }
        for (index, file) in files.enumerated() { problems += problemsOf(file, at: "spec.files[\(index)]") }
        for (index, unit) in units.enumerated() { problems += problemsOf(unit, at: "spec.units[\(index)]") }
        problems += repeated(files.map(\.path), "spec.files", "path")
        problems += repeated(units.map(\.name), "spec.units", "name")
        if let path = spec.tunnelCertificate?.path {
            let reason =
                NodePath.problem(path) ?? (files.contains { $0.path == path } ? "is one of spec.files, too" : nil)
            if let reason { problems.add("spec.tunnelCertificate.path", reason) }
        }
        if let kubelet = spec.kubelet { problems += problemsOf(kubelet) }
        return problems
    }

    private static func problemsOf(keys: [String]) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        // Without any key no later configuration would ever be believed.
        if !(1...4).contains(keys.count) {
            problems.add("spec.configurationKeys", "must be 1 to 4 keys")
        }
        for (index, key) in keys.enumerated() where [UInt8](base64: key)?.count != 32 {
            problems.add("spec.configurationKeys[\(index)]", "is not 32 bytes in base64")
        }
        return problems
    }

    private static func problemsOf(_ issuers: NodeConfiguration.CertificateIssuers) -> [ConfigurationProblem] {
        let fields = [
            ("agent", issuers.agent), ("kubelet", issuers.kubelet), ("kubeletServing", issuers.kubeletServing),
        ]
        return fields.compactMap { name, text in
            let isHex = text.utf8.allSatisfy(\.isLowercaseHex)
            guard isHex, text.utf8.count % 2 == 0, (2...128).contains(text.utf8.count) else {
                return ConfigurationProblem(
                    "spec.certificateIssuers.\(name)",
                    "is no key identifier in hexadecimal digits"
                )
            }
            return nil
        }
    }

    private static func problemsOf(_ file: NodeConfiguration.File, at path: String) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        if let reason = NodePath.problem(file.path) { problems.add("\(path).path", reason) }
        if FileMode(file.mode ?? "0600") == nil {
            problems.add("\(path).mode", "must be octal digits up to 0777")
        }
        let content = file.content
        let sources = [
            content.inline != nil, content.base64 != nil, content.secretRef != nil, content.image != nil,
        ]
        if sources.filter({ $0 }).count != 1 {
            problems.add("\(path).content", "needs one of inline, base64, secretRef and image")
        }
        if let image = content.image { problems += problemsOf(image, at: "\(path).content.image") }
        if content.inline.map({ $0.utf8.count > maximumFileBytes }) == true
            || content.base64.map({ $0.utf8.count > maximumFileBytes / 3 * 4 }) == true
        {
            problems.add("\(path).content", "is larger than \(maximumFileBytes) bytes")
        }
        return problems
    }

    private static func problemsOf(_ image: NodeConfiguration.ImageFile, at path: String) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        if !ImageName.isPinned(image.reference) {
            problems.add("\(path).reference", "does not name an image by @sha256: and digest")
        }
        if !NodePath.isPlain(image.path) {
            problems.add("\(path).path", "is no absolute path")
        }
        if !DigestText.isSHA256(image.sha256) {
            problems.add("\(path).sha256", "is not 64 hexadecimal digits")
        }
        return problems
    }

    private static func problemsOf(_ unit: NodeConfiguration.Unit, at path: String) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        if !UnitName.isValid(unit.name) {
            problems.add("\(path).name", "is no name of a unit that may be managed")
        }
        for (index, dropIn) in (unit.dropIns ?? []).enumerated() where !UnitName.isDropIn(dropIn.name) {
            problems.add("\(path).dropIns[\(index)].name", "is no name of a drop-in")
        }
        problems += repeated((unit.dropIns ?? []).map(\.name), "\(path).dropIns", "name")
        for (index, trigger) in (unit.restartOn ?? []).enumerated() where NodePath.problem(trigger) != nil {
            problems.add("\(path).restartOn[\(index)]", "is no path that may be managed")
        }
        return problems
    }

    private static func problemsOf(_ kubelet: NodeConfiguration.Kubelet) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        if KubernetesVersion(kubelet.version) == nil {
            problems.add("spec.kubelet.version", "is no version from 1.20 on, such as 1.20.2")
        }
        if let binary = kubelet.binary, !NodePath.isPlain(binary) {
            problems.add("spec.kubelet.binary", "is no absolute path")
        }
        if let configuration = kubelet.configuration, !configuration.isObject {
            problems.add("spec.kubelet.configuration", "is no mapping")
        }
        for (index, argument) in (kubelet.extraArguments ?? []).enumerated() where !argument.hasPrefix("--") {
            problems.add("spec.kubelet.extraArguments[\(index)]", "does not begin with --")
        }
        for (key, value) in kubelet.labels ?? [:] where !LabelRules.isKey(key) || !LabelRules.isValue(value) {
            problems.add("spec.kubelet.labels.\(key)", "is no label")
        }
        for (index, taint) in (kubelet.taints ?? []).enumerated()
        where !LabelRules.isKey(taint.key) || !LabelRules.isValue(taint.value ?? "")
            || !Node.Taint.effects.contains(taint.effect)
        {
            problems.add("spec.kubelet.taints[\(index)]", "is no taint")
        }
        for name in (kubelet.environment ?? [:]).keys where !isVariable(name) {
            problems.add("spec.kubelet.environment.\(name)", "is no variable's name")
        }
        return problems
    }

    private static func isVariable(_ name: String) -> Bool {
        guard let first = name.utf8.first, !first.isDigit else { return false }
        return name.utf8.allSatisfy { $0.isLetter || $0.isDigit || $0 == 0x5F }
    }

    private static func repeated(_ names: [String], _ path: String, _ field: String) -> [ConfigurationProblem] {
        var seen: Set<String> = []
        return names.filter { !seen.insert($0).inserted }.map {
            ConfigurationProblem(path, "the \(field) \($0) comes twice")
        }
    }
}
