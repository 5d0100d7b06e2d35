internal import TendrilCore

/// What a Shoot may say, field by field.
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
