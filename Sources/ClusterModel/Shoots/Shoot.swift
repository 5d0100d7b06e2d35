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

    package var name: String { metadata.name ?? "" }
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
    /// Whether nothing is to be done for now.
    package var isPaused: Bool { metadata.annotations?[ShootAnnotation.pause] == "true" }

    /// What is wanted, if a coordinator has accepted that: what was stored and never accepted binds nobody who mends it.
    package var acceptedSpec: Spec? {
        guard let observed = status?.observedGeneration, observed == metadata.generation else { return nil }
        return spec
    }
}

/// What a person may ask for by the annotation `tendril.dev/operation`.
package enum ShootOperation: String, CaseIterable, Sendable {
    /// Everything is made as it is to be, whatever is remembered.
    case reconcile
    /// What failed is tried again now.
    case retry
    /// All CAs and keys get successors, which are believed and used besides them.
    case rotateStart = "rotate-start"
    /// The old CAs and keys are given up.
    case rotateComplete = "rotate-complete"
    /// Its etcd gets what a snapshot holds; the annotation `tendril.dev/snapshot` names it.
    case restore

    /// The reason of the Event that says that one was refused.
    package static let refusal = "OperationRefused"
}

/// The annotations by which people say what no field does.
package enum ShootAnnotation {
    /// A `ShootOperation`.
    package static let operation = "tendril.dev/operation"
    /// With `restore`: the snapshot's name, or `before` for the data of before the last restoration; the newest where it is missing.
    package static let snapshot = "tendril.dev/snapshot"
    /// `true` leaves the shoot as it is.
    package static let pause = "tendril.dev/pause"
    /// `true` allows the deletion.
    package static let confirmation = "confirmation.tendril.dev/deletion"
    /// For how many minutes a deletion waits for load balancers and volumes to go.
    package static let cleanUpMinutes = "tendril.dev/clean-up-minutes"
    /// Keeps a shoot until nothing is left of it.
    package static let finalizer = "tendril.dev/shoot"
}

extension Shoot {
    /// The resource's definition.
    package static func definition() throws -> ResourceDefinition {
        ResourceDefinition(
            kind: "Shoot",
            resource: resource,
            shortNames: [],
            columns: [
                .init("Seed", ".status.seedName"), .init("Version", ".spec.kubernetes.version"),
                .init("Operation", ".status.lastOperation.type"), .init("State", ".status.lastOperation.state"),
                .init("Progress", ".status.lastOperation.progress", type: "integer"),
                .init("API", ".status.conditions[?(@.type==\"APIServerAvailable\")].status"),
                .init("Plane", ".status.conditions[?(@.type==\"ControlPlaneHealthy\")].status"),
                .init("Nodes", ".status.conditions[?(@.type==\"EveryNodeReady\")].status"),
                .init("System", ".status.conditions[?(@.type==\"SystemComponentsHealthy\")].status"),
                .init("Paused", ".metadata.annotations.tendril\\.dev/pause"),
            ],
            schema: try Schema(of: Shoot.self, rules: rules.merging(StatusRules.shoot) { own, _ in own })
        )
    }

    private static let label = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"

    /// What plug-ins and feature gates are called.
    private static let kubernetesName = "^[A-Z][A-Za-z0-9]{1,62}$"

    private static let clock = "^([01][0-9]|2[0-3]):[0-5][0-9]$"

    private static let rules: [String: FieldRule] = [
        "spec.seedName": FieldRule(
            "The seed that hosts the control plane; chosen where it is missing, and not changed later.",
            maximumCount: 63
        ),
        "spec.region": FieldRule(
            "Where the machines are; has to be a seed's for it to be chosen. Required with aws; cannot change later.",
            maximumCount: 63
        ),
        "spec.kubernetes.version": FieldRule(
            "A release from 1.20 to 1.36, such as 1.20.2; changes by patches and one minor release up, never back.",
            pattern: #"^1\.[0-9]{2}\.[0-9]{1,3}$"#
        ),
        "spec.networking": FieldRule(
            "Address ranges (IPv4), apart from each other; they cannot change later.",
            default: [:]
        ),
        "spec.networking.type": FieldRule("How pods get their network; with aws overlay or none.", default: "routed"),
        "spec.networking.pods": FieldRule("The range of pods, /8 to /24.", maximumCount: 43, default: "100.96.0.0/11"),
        "spec.networking.services": FieldRule(
            "The range of Services, /12 to /26.",
            maximumCount: 43,
            default: "100.64.0.0/13"
        ),
        "spec.networking.nodes": FieldRule(
            "The range of machines, /8 to /28.",
            maximumCount: 43,
            default: "10.250.0.0/16"
        ),
        "spec.provider.type": FieldRule("Who makes the machines; cannot change later."),
        "spec.provider.infrastructure": FieldRule("What only this provider knows; see docs/configuration.md."),
        "spec.workers": FieldRule("Pools of alike machines.", maximumCount: 50),
        "spec.workers[].name": FieldRule("The pool's name.", pattern: label, maximumCount: 15),
        "spec.workers[].minimum": FieldRule("The least number of machines.", minimum: 0, maximum: 1000, default: 1),
        "spec.workers[].maximum": FieldRule(
            "The largest number of machines, not below the least.",
            minimum: 0,
            maximum: 1000,
            default: 1
        ),
        "spec.workers[].machineType": FieldRule(
            "The provider's name of a size; another one replaces the pool's machines. Required with aws.",
            pattern: "^[A-Za-z0-9][A-Za-z0-9._-]*$",
            maximumCount: 63
        ),
        "spec.workers[].image": FieldRule(
            "The name of a machine image that the coordinator knows, `default` where it is missing; another one replaces the pool's machines.",
            maximumCount: 63
        ),
        "spec.workers[].labels": FieldRule("Labels of the pool's nodes."),
        "spec.workers[].taints": FieldRule("Taints of the pool's nodes.", maximumCount: 50),
        "spec.workers[].kubelet.maxPods": FieldRule("How many pods a node takes.", minimum: 1, maximum: 1000),
        "spec.workers[].kubelet.featureGates": FieldRule(
            "Feature gates of the pool's kubelets.",
            maximumCount: 64
        ),
        "spec.workers[].kubelet.configuration": FieldRule("Fields of KubeletConfiguration that override ours."),
        "spec.controlPlane": FieldRule("The control plane in the seed.", default: [:]),
        "spec.controlPlane.replicas": FieldRule(
            "How many of each stateless part run.",
            minimum: 1,
            maximum: 5,
            default: 1
        ),
        "spec.controlPlane.audit": FieldRule(
            "How much of the requests to the API server it puts on record, on its standard output in the seed."
        ),
        "spec.controlPlane.featureGates": FieldRule(
            "Feature gates of kube-apiserver, kube-controller-manager and kube-scheduler; see docs/shoots.md.",
            maximumCount: 64
        ),
        "spec.controlPlane.admissionPlugins": FieldRule("Admission plug-ins of kube-apiserver."),
        "spec.controlPlane.admissionPlugins.enable": FieldRule(
            "Those that it has besides its release's own choice and NodeRestriction.",
            maximumCount: 32
        ),
        "spec.controlPlane.admissionPlugins.enable[]": FieldRule("Its name.", pattern: kubernetesName),
        "spec.controlPlane.admissionPlugins.disable": FieldRule(
            "Those of its release's own choice that it does without.",
            maximumCount: 32
        ),
        "spec.controlPlane.admissionPlugins.disable[]": FieldRule("Its name.", pattern: kubernetesName),
        "spec.controlPlane.oidc": FieldRule(
            "The identity provider by which people log in, from Kubernetes 1.34 on; see docs/shoots.md."
        ),
        "spec.controlPlane.oidc.issuerURL": FieldRule(
            "What tokens have as iss: an https URL of a named host, without query and fragment.",
            pattern: "^https://[^?#@]+$",
            maximumCount: 2048
        ),
        "spec.controlPlane.oidc.clientID": FieldRule("What tokens have as aud.", maximumCount: 253),
        "spec.controlPlane.oidc.usernameClaim": FieldRule(
            "The claim with a person's name.",
            maximumCount: 128,
            default: "sub"
        ),
        "spec.controlPlane.oidc.usernamePrefix": FieldRule(
            "Stands before each name; not empty, and nothing by which a name could begin with system: or tendril:.",
            maximumCount: 64,
            default: "oidc:"
        ),
        "spec.controlPlane.oidc.groupsClaim": FieldRule("The claim with groups; none if missing.", maximumCount: 128),
        "spec.controlPlane.oidc.groupsPrefix": FieldRule(
            "Stands before each group; the same holds for it.",
            maximumCount: 64,
            default: "oidc:"
        ),
        "spec.controlPlane.oidc.requiredClaims": FieldRule(
            "Claims that a token has to have, each with its value.",
            maximumCount: 16
        ),
        "spec.controlPlane.oidc.certificateAuthority": FieldRule(
            "The CAs, in PEM, that the issuer's certificate has to lead to; public ones if missing.",
            maximumCount: 32768
        ),
        "spec.controlPlane.oidc.additionalHosts": FieldRule(
            "HOST or HOST:PORT of others that the issuer's documents lead to, such as to its keys.",
            maximumCount: 8
        ),
        "spec.controlPlane.oidc.additionalHosts[]": FieldRule("HOST or HOST:PORT.", maximumCount: 259),
        "spec.hibernation": FieldRule("Whether the cluster sleeps.", default: [:]),
        "spec.hibernation.enabled": FieldRule("No machines and no control plane; data is kept.", default: false),
        "spec.maintenance": FieldRule(
            "When what the operator changes may reach the cluster; at any time where it is missing."
        ),
        "spec.maintenance.timeWindow": FieldRule("A part of every day, in UTC, of half an hour at least."),
        "spec.maintenance.timeWindow.begin": FieldRule("Such as 22:30.", pattern: clock),
        "spec.maintenance.timeWindow.end": FieldRule("Such as 02:00.", pattern: clock),
        "spec.addons": FieldRule("What runs in kube-system.", default: [:]),
        "spec.addons.kubeProxy": FieldRule("kube-proxy on every node.", default: true),
        "spec.addons.dns": FieldRule("The cluster's DNS.", default: true),
        "spec.addons.metrics": FieldRule("metrics-server.", default: true),
        "spec.addons.dashboard": FieldRule("The Kubernetes dashboard.", default: false),
        "spec.vpn": FieldRule("The link between control plane and nodes.", default: [:]),
        "spec.vpn.lanes": FieldRule("Connections of a link.", minimum: 1, maximum: 16, default: 1),
    ]
}
