internal import FoundationEssentials
package import TendrilCore

/// What a NodeConfiguration may say.
///
/// It is applied with all rights, so it is judged even after its signature was good.
package enum NodeConfigurationRules {
    package static let maximumFiles = 512
    package static let maximumUnits = 128
    package static let maximumFileBytes = 512 * 1024

    /// Every problem of a configuration; none means that it may be applied.
    package static func problems(_ configuration: NodeConfiguration) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        func check(_ holds: Bool, _ path: String, _ reason: @autoclosure () -> String) {
            if !holds { problems.append(ConfigurationProblem(path, reason())) }
        }
        check(
            configuration.apiVersion == NodeConfiguration.apiVersion,
            "apiVersion",
            "must be \(NodeConfiguration.apiVersion)"
        )
        check(configuration.kind == NodeConfiguration.kind, "kind", "must be \(NodeConfiguration.kind)")
        check(!configuration.metadata.pool.isEmpty, "metadata.pool", "is empty")
        check(configuration.metadata.generation > 0, "metadata.generation", "must be 1 or more")
        let spec = configuration.spec
        let files = spec.files ?? []
        let units = spec.units ?? []
        check(files.count <= maximumFiles, "spec.files", "more than \(maximumFiles)")
        check(units.count <= maximumUnits, "spec.units", "more than \(maximumUnits)")
        check((1...1000).contains(spec.restartBudget ?? 1), "spec.restartBudget", "must be 1 to 1000")
        check((0...3600).contains(spec.health?.holdSeconds ?? 30), "spec.health.holdSeconds", "must be 0 to 3600")
        check(
            (1...3600).contains(spec.health?.timeoutSeconds ?? 300),
            "spec.health.timeoutSeconds",
            "must be 1 to 3600"
        )
        check(
            spec.machineClass.map(ClassName.isValid) ?? true,
            "spec.machineClass",
            "is no word of 1 to 253 characters"
        )
        let authority = spec.certificateAuthority
        check(
            authority?.contains("-----BEGIN CERTIFICATE-----") ?? true,
            "spec.certificateAuthority",
            "holds no certificate in PEM"
        )
        if let keys = spec.configurationKeys { problems += problemsOf(keys: keys) }
        if let issuers = spec.certificateIssuers { problems += problemsOf(issuers) }
        for (index, file) in files.enumerated() { problems += problemsOf(file, at: "spec.files[\(index)]") }
        for (index, unit) in units.enumerated() { problems += problemsOf(unit, at: "spec.units[\(index)]") }
        problems += repeated(files.map(\.path), "spec.files", "path")
        problems += repeated(units.map(\.name), "spec.units", "name")
        if let path = spec.tunnelCertificate?.path {
            let reason =
                NodePath.problem(path) ?? (files.contains { $0.path == path } ? "is one of spec.files, too" : nil)
            if let reason { problems.append(ConfigurationProblem("spec.tunnelCertificate.path", reason)) }
        }
        if let kubelet = spec.kubelet { problems += problemsOf(kubelet) }
        if let endpoint = spec.containerRuntime?.endpoint {
            check(endpoint.hasPrefix("unix:///"), "spec.containerRuntime.endpoint", "must begin with unix:///")
        }
        if let unit = spec.containerRuntime?.unit {
            check(UnitName.isValid(unit), "spec.containerRuntime.unit", "is no unit's name")
        }
        return problems
    }

    private static func problemsOf(keys: [String]) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        // Without any key no later configuration would ever be believed.
        if !(1...4).contains(keys.count) {
            problems.append(ConfigurationProblem("spec.configurationKeys", "must be 1 to 4 keys"))
        }
        for (index, key) in keys.enumerated() where Data(base64Encoded: key)?.count != 32 {
            problems.append(ConfigurationProblem("spec.configurationKeys[\(index)]", "is not 32 bytes in base64"))
        }
        return problems
    }

    private static func problemsOf(_ issuers: NodeConfiguration.CertificateIssuers) -> [ConfigurationProblem] {
        let fields = [
            ("agent", issuers.agent), ("kubelet", issuers.kubelet), ("kubeletServing", issuers.kubeletServing),
        ]
        return fields.compactMap { name, text in
            let isHex = text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
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
        if let reason = NodePath.problem(file.path) { problems.append(ConfigurationProblem("\(path).path", reason)) }
        if FileMode(file.mode ?? "0600") == nil {
            problems.append(ConfigurationProblem("\(path).mode", "must be octal digits up to 0777"))
        }
        let content = file.content
        let sources = [
            content.inline != nil, content.base64 != nil, content.secretRef != nil, content.image != nil,
        ]
        if sources.filter({ $0 }).count != 1 {
            problems.append(ConfigurationProblem("\(path).content", "needs one of inline, base64, secretRef and image"))
        }
        if let image = content.image { problems += problemsOf(image, at: "\(path).content.image") }
        if content.inline.map({ $0.utf8.count > maximumFileBytes }) == true
            || content.base64.map({ $0.utf8.count > maximumFileBytes / 3 * 4 }) == true
        {
            problems.append(ConfigurationProblem("\(path).content", "is larger than \(maximumFileBytes) bytes"))
        }
        return problems
    }

    private static func problemsOf(_ image: NodeConfiguration.ImageFile, at path: String) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        if !ImageName.isPinned(image.reference) {
            problems.append(ConfigurationProblem("\(path).reference", "does not name an image by @sha256: and digest"))
        }
        if !NodePath.isPlain(image.path) {
            problems.append(ConfigurationProblem("\(path).path", "is no absolute path"))
        }
        if !DigestText.isSHA256(image.sha256) {
            problems.append(ConfigurationProblem("\(path).sha256", "is not 64 hexadecimal digits"))
        }
        return problems
    }

    private static func problemsOf(_ unit: NodeConfiguration.Unit, at path: String) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        if !UnitName.isValid(unit.name) {
            problems.append(ConfigurationProblem("\(path).name", "is no name of a unit that may be managed"))
        }
        for (index, dropIn) in (unit.dropIns ?? []).enumerated() where !UnitName.isDropIn(dropIn.name) {
            problems.append(ConfigurationProblem("\(path).dropIns[\(index)].name", "is no name of a drop-in"))
        }
        problems += repeated((unit.dropIns ?? []).map(\.name), "\(path).dropIns", "name")
        for (index, trigger) in (unit.restartOn ?? []).enumerated() where NodePath.problem(trigger) != nil {
            problems.append(ConfigurationProblem("\(path).restartOn[\(index)]", "is no path that may be managed"))
        }
        return problems
    }

    private static func problemsOf(_ kubelet: NodeConfiguration.Kubelet) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        if KubernetesVersion(kubelet.version) == nil {
            problems.append(ConfigurationProblem("spec.kubelet.version", "is no version from 1.20 on, such as 1.20.2"))
        }
        if let binary = kubelet.binary, !NodePath.isPlain(binary) {
            problems.append(ConfigurationProblem("spec.kubelet.binary", "is no absolute path"))
        }
        if let configuration = kubelet.configuration, !configuration.isObject {
            problems.append(ConfigurationProblem("spec.kubelet.configuration", "is no mapping"))
        }
        for (index, argument) in (kubelet.extraArguments ?? []).enumerated() where !argument.hasPrefix("--") {
            problems.append(ConfigurationProblem("spec.kubelet.extraArguments[\(index)]", "does not begin with --"))
        }
        for (key, value) in kubelet.labels ?? [:] where !LabelRules.isKey(key) || !LabelRules.isValue(value) {
            problems.append(ConfigurationProblem("spec.kubelet.labels.\(key)", "is no label"))
        }
        for (index, taint) in (kubelet.taints ?? []).enumerated()
        where !LabelRules.isKey(taint.key) || !LabelRules.isValue(taint.value ?? "")
            || !["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(taint.effect)
        {
            problems.append(ConfigurationProblem("spec.kubelet.taints[\(index)]", "is no taint"))
        }
        for name in (kubelet.environment ?? [:]).keys where !isVariable(name) {
            problems.append(ConfigurationProblem("spec.kubelet.environment.\(name)", "is no variable's name"))
        }
        return problems
    }

    private static func isVariable(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return name.utf8.allSatisfy {
            (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F
        }
    }

    private static func repeated(_ names: [String], _ path: String, _ field: String) -> [ConfigurationProblem] {
        var seen: Set<String> = []
        return names.filter { !seen.insert($0).inserted }.map {
            ConfigurationProblem(path, "the \(field) \($0) comes twice")
        }
    }
}
