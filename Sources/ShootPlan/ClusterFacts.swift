package import ClusterModel
package import NodePlan
package import TendrilCore

/// Where images come from.
package struct ImageSource: Codable, Hashable, Sendable {
    /// Of Kubernetes and etcd, such as `registry.k8s.io`.
    package var kubernetes: String
    /// Of our own programs.
    package var tendril: String
    /// Of the dashboard, which has another home than the rest of Kubernetes.
    package var kubernetesui: String?
    /// Add-ons without an image: their objects are made, but nothing runs; none where it is missing.
    package var missing: [String]?

    package init(kubernetes: String, tendril: String, missing: [String] = []) {
        (self.kubernetes, self.tendril, self.missing) = (kubernetes, tendril, missing)
    }

    /// Where the dashboard's image is.
    var dashboard: String { kubernetesui ?? "docker.io/kubernetesui" }
}

/// A shoot as its control plane, its nodes and its add-ons are rendered from it.
package struct ClusterFacts: Hashable, Sendable {
    /// The technical ID, which is the namespace in the seed.
    package let id: String
    package private(set) var spec: Shoot.Spec
    package let version: KubernetesVersion
    package let images: ImageSource
    package let seed: Seed.Spec
    /// What the shoot's release takes.
    package let traits: KubernetesTraits
    /// What the seed's release takes.
    package let seedTraits: KubernetesTraits

    /// Takes a shoot without problems.
    package init?(_ shoot: Shoot, images: ImageSource, seed: Seed.Spec, seedVersion: KubernetesVersion) {
        guard let id = TechnicalID(project: shoot.namespace, name: shoot.name),
            let version = KubernetesVersion(shoot.spec.kubernetes.version)
        else { return nil }
        (self.id, spec, self.version, self.images, self.seed) = (id.description, shoot.spec, version, images, seed)
        (traits, seedTraits) = (KubernetesTraits(version), KubernetesTraits(seedVersion))
    }

    /// An address in the range of Services; 1 is the API's, 10 is the DNS server's.
    package func serviceAddress(_ offset: UInt64) -> IPAddress? {
        IPPrefix(spec.networking.services)?.address(at: offset)
    }

    /// Whether there are machines at all.
    package var hasNodes: Bool { spec.workers.contains { $0.minimum > 0 } }

    /// The same cluster with all that it could want in its kube-system.
    package var withEveryAddon: ClusterFacts {
        var copy = self
        (copy.spec.addons.kubeProxy, copy.spec.addons.dns) = (true, true)
        (copy.spec.addons.metrics, copy.spec.addons.dashboard) = (true, true)
        return copy
    }

    /// The same cluster without pods of its control plane.
    package var atRest: ClusterFacts {
        var copy = self
        copy.spec.hibernation.enabled = true
        return copy
    }

    package var isHibernated: Bool { spec.hibernation.enabled }

    /// How many of a stateless part run.
    var replicas: Int { isHibernated ? 0 : spec.controlPlane.replicas }

    /// An image of Kubernetes of the shoot's version.
    func kubernetesImage(_ name: String) -> String { "\(images.kubernetes)/\(name):v\(version)" }

    /// An image of Kubernetes that has releases of its own: its name and tag.
    func kubernetesImage(tagged name: String) -> String { "\(images.kubernetes)/\(name)" }

    /// One of our own images.
    func tendrilImage(_ name: String) -> String { "\(images.tendril)/\(name):\(Version.text)" }
}
