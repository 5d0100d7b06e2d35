package import TendrilCore

/// tendril.dev/v1alpha1 Shoot: a cluster as its owner wants it, and what has become of it.
package struct Shoot: KubernetesObject {
    /// Which Kubernetes.
    package struct Kubernetes: Codable, Hashable, Sendable {
        package var version: String
    }

    /// How pods get their network.
    package enum NetworkType: String, SchemaEnumeration {
        /// Each node routes its own range; nodes see one another.
        case routed
        /// The same inside UDP, over whatever is between nodes.
        case overlay
        /// The owner installs a plug-in.
        case none

        /// Whether pods' network is our business.
        package var isOurs: Bool { self != .none }
    }

    /// Address ranges.
    package struct Networking: Codable, Hashable, Sendable {
        package var type: NetworkType
        package var pods: String
        package var services: String
        package var nodes: String
    }

    /// Who makes the machines.
    package enum ProviderType: String, SchemaEnumeration {
        /// Machines on the seed's host, for development.
        case local
        /// Amazon's cloud, by Terraform or OpenTofu.
        case aws

        /// Whether the machines are in a cloud, where a question takes its time and what is forgotten costs money.
        package var isCloud: Bool { self != .local }
    }

    /// The infrastructure.
    package struct Provider: Codable, Hashable, Sendable {
        package var type: ProviderType
        /// What only this provider knows.
        package var infrastructure: JSONValue?
    }

    /// A kubelet's settings.
    package struct Kubelet: Codable, Hashable, Sendable {
        package var maxPods: Int?
        package var featureGates: [String: Bool]?
        package var configuration: JSONValue?

        package init(maxPods: Int? = nil, featureGates: [String: Bool]? = nil, configuration: JSONValue? = nil) {
            (self.maxPods, self.featureGates, self.configuration) = (maxPods, featureGates, configuration)
        }
    }

    /// A pool of alike machines.
    package struct Worker: Codable, Hashable, Sendable {
        package var name: String
        package var minimum: Int
        package var maximum: Int
        package var machineType: String?
        package var image: String?
        package var labels: [String: String]?
        package var taints: [Node.Taint]?
        package var kubelet: Kubelet?
    }

    /// How much of the requests to the API server is put on record (audit.k8s.io/v1, Level).
    package enum AuditLevel: String, SchemaEnumeration {
        case nothing = "None"
        /// Who asked for what, and how it ended.
        case metadata = "Metadata"
        /// The same, and the bodies of requests that change something; never those with secrets.
        case request = "Request"
    }

    /// By whose tokens people log in (OpenID Connect Core 1.0).
    package struct OIDC: Codable, Hashable, Sendable {
        /// What tokens have as `iss`, and where its documents are found.
        package var issuerURL: String
        /// What tokens have as `aud`.
        package var clientID: String
        package var usernameClaim: String
        /// What stands before each name, so that nobody can be given that of another.
        package var usernamePrefix: String
        /// No groups where it is missing.
        package var groupsClaim: String?
        /// The same for groups.
        package var groupsPrefix: String
        /// Claims with the values that they have to have.
        package var requiredClaims: [String: String]?
        /// Whom the issuer's certificate has to lead to, in PEM; what kube-apiserver's image believes where it is missing.
        package var certificateAuthority: String?
        /// `HOST` or `HOST:PORT`: where else the issuer's documents lead to.
        package var additionalHosts: [String]?

        package init(
            issuerURL: String,
            clientID: String,
            usernameClaim: String = "sub",
            usernamePrefix: String = "oidc:",
            groupsPrefix: String = "oidc:"
        ) {
            (self.issuerURL, self.clientID, self.usernameClaim) = (issuerURL, clientID, usernameClaim)
            (self.usernamePrefix, self.groupsPrefix) = (usernamePrefix, groupsPrefix)
        }
    }

    /// Which admission plug-ins kube-apiserver has besides, or without, its own choice.
    package struct AdmissionPlugins: Codable, Hashable, Sendable {
        package var enable: [String]?
        package var disable: [String]?

        package init(enable: [String]? = nil, disable: [String]? = nil) {
            (self.enable, self.disable) = (enable, disable)
        }
    }

    /// The control plane in the seed.
    package struct ControlPlane: Codable, Hashable, Sendable {
        package var replicas: Int
        /// Nothing where it is missing.
        package var audit: AuditLevel?
        /// Of kube-apiserver, kube-controller-manager and kube-scheduler.
        package var featureGates: [String: Bool]?
        package var admissionPlugins: AdmissionPlugins?
        /// People log in with certificates only where it is missing.
        package var oidc: OIDC?
    }

    /// Whether the cluster sleeps.
    package struct Hibernation: Codable, Hashable, Sendable {
        package var enabled: Bool
    }

    /// A part of every day, in UTC; it may go over midnight.
    package struct TimeWindow: Codable, Hashable, Sendable {
        /// `HH:MM`.
        package var begin: String
        /// `HH:MM`.
        package var end: String

        package init(begin: String, end: String) { (self.begin, self.end) = (begin, end) }
    }

    /// When what the operator of Tendril changes may reach the cluster.
    package struct Maintenance: Codable, Hashable, Sendable {
        package var timeWindow: TimeWindow

        package init(timeWindow: TimeWindow) { self.timeWindow = timeWindow }
    }

    /// What runs in kube-system besides the network.
    package struct Addons: Codable, Hashable, Sendable {
        package var kubeProxy: Bool
        package var dns: Bool
        package var metrics: Bool
        package var dashboard: Bool
    }

    /// The link between control plane and nodes.
    package struct VPN: Codable, Hashable, Sendable {
        package var lanes: Int
    }

    /// What is wanted.
    package struct Spec: Codable, Hashable, Sendable {
        package var seedName: String?
        package var region: String?
        package var kubernetes: Kubernetes
        package var networking: Networking
        package var provider: Provider
        package var workers: [Worker]
        package var controlPlane: ControlPlane
        package var hibernation: Hibernation
        package var maintenance: Maintenance?
        package var addons: Addons
        package var vpn: VPN
    }

    package static let resource = ResourceKind(
        group: TendrilAPI.group,
        version: TendrilAPI.version,
        plural: "shoots",
        isNamespaced: true
    )
    package var apiVersion: String? = TendrilAPI.groupVersion
    package var kind: String? = "Shoot"
    package var metadata: ObjectMetadata
    package var spec: Spec
    package var status: ShootStatus?

    package var namespace: String { metadata.namespace ?? "" }
    /// `namespace/name`, for people.
    package var key: String { "\(namespace)/\(name)" }
    /// The Secret beside a Shoot of this name with the kubeconfig that people are given.
    package static func kubeconfigSecret(of name: String) -> String { "\(name).kubeconfig" }
    package var isHibernated: Bool { spec.hibernation.enabled }
    package var isBeingDeleted: Bool { metadata.deletionTimestamp != nil }
    /// Whether a seed is to host it, or hosts it although its owner names another one by now.
    package func isOf(seed: String) -> Bool { spec.seedName == seed || status?.seedName == seed }

    /// What a person asks for by an annotation, as it stands there; `nil` for nothing.
    package var operation: String? { metadata.annotations?[ShootAnnotation.operation] }
    /// Whether somebody wants that nothing is done for now.
    package var isToPause: Bool { metadata.annotations?[ShootAnnotation.pause] == "true" }
    /// Whether nothing is to be done for now.
    package var isPaused: Bool { isToPause && !isHalfRestored }

    /// Whether a restoration has stopped the control plane, which starts again before a pause counts.
    ///
    /// What does not start at the first attempt is left as it is.
    private var isHalfRestored: Bool {
        let last = status?.lastOperation
        switch status?.restoration?.phase {
        case .replacing: return true
        case .starting:
            let hasFailed = last?.type == .restore && (last?.state == .error || last?.state == .failed)
            return !isHibernated && !hasFailed
        // The next flow starts it with the data of before; those after that are as all others.
        case .failed:
            let isUnderWay = last?.type == .restore || last?.state == .processing || status?.couldNotBegin == true
            return status?.restoration?.isStopped == true && isUnderWay
        case .completed, nil: return false
        }
    }

    /// What is wanted, if a coordinator has accepted that: what was stored and never accepted binds nobody who mends it.
    ///
    /// It is accepted as soon as a coordinator does it, and whether or not that comes to a good end.
    package var acceptedSpec: Spec? {
        guard let generation = metadata.generation, let status else { return nil }
        return status.observedGeneration == generation || status.isAtWork(on: generation) ? spec : nil
    }
}
