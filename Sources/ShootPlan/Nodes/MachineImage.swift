package import NodePlan
package import TendrilCore

/// What a machine's image brings, and what has to be said to its programs.
package struct MachineImage: Codable, Hashable, Sendable {
    /// What pools take that name none.
    package static let fallback = "default"

    /// The name by which pools choose it.
    package var name: String
    /// Where the agent comes from.
    package var program: UserDataConfiguration.Program
    /// Where tendril-vpn is; `/usr/bin/tendril-vpn` where this is missing.
    package var tunnel: String?
    /// The releases of Kubernetes whose kubelet it holds, such as `1.20.2`; any where this is missing.
    package var kubernetes: [String]?
    /// Where the kubelet is; `/usr/bin/kubelet` where this is missing.
    package var kubelet: String?
    /// Environment of the kubelet.
    package var kubeletEnvironment: [String: String]?
    /// Fields of KubeletConfiguration.
    package var kubeletConfiguration: JSONValue?
    /// The image of pods' sandboxes; Kubernetes' own where this is missing.
    package var sandboxImage: String?
    /// Whether cgroups are systemd's; true where this is missing.
    package var systemdCgroup: Bool?
    /// Whether the machine is a container itself and may not raise priorities.
    package var isContainer: Bool?
    /// How long a machine has to prove itself with a new generation.
    package var health: NodeConfiguration.Health?
    /// Required with the provider `aws`: the image's ID; its root device has to be /dev/sda1.
    package var ami: String?

    package init(name: String, program: UserDataConfiguration.Program) { (self.name, self.program) = (name, program) }

    /// Every problem; none means that machines can be made of it.
    ///
    /// - Parameter path: where the image stands in its document.
    /// - Returns: the problems, by their paths there.
    func problems(at path: String) -> [ConfigurationProblem] {
        var problems = program.problems(at: "\(path).program")
        problems.require(!name.isEmpty && name.utf8.allSatisfy(\.isVisible), "\(path).name", "is no word")
        for (index, release) in (kubernetes ?? []).enumerated()
        where KubernetesVersion(release)?.description != release {
            problems.add("\(path).kubernetes[\(index)]", "\(release) is no release such as 1.33.4")
        }
        for case (let field, let program?) in [("kubelet", kubelet), ("tunnel", tunnel)] {
            problems.require(NodePath.isPlain(program), "\(path).\(field)", "is no absolute path")
        }
        problems.require(ami.map(Self.isAMI) ?? true, "\(path).ami", "is not ami- and 8 or 17 hexadecimal digits")
        return problems
    }

    /// Whether this is how AWS names an image (Amazon EC2 User Guide, "Resource IDs").
    private static func isAMI(_ text: String) -> Bool {
        let digits = text.utf8.dropFirst("ami-".utf8.count)
        return text.hasPrefix("ami-") && [8, 17].contains(digits.count) && digits.allSatisfy(\.isLowercaseHex)
    }
}

extension [MachineImage] {
    /// The image of this name; `default` where a pool names none.
    package func named(_ name: String?) -> MachineImage? { first { $0.name == name ?? MachineImage.fallback } }
}
