internal import TendrilCore

/// tendril.dev/v1alpha1 Seed: a cluster that hosts control planes.
package struct Seed: KubernetesObject {
    /// Its own address ranges.
    package struct Networks: Codable, Hashable, Sendable {
        package var pods: String
        package var services: String
        package var nodes: String
    }

    /// How what runs in it is reached from outside.
    package enum ExposureType: String, SchemaEnumeration {
        /// Ports of its nodes, at one address.
        case nodePort = "NodePort"
        /// A load balancer for each shoot.
        case loadBalancer = "LoadBalancer"
    }

    /// Where nodes of shoots find their control planes.
    package struct Exposure: Codable, Hashable, Sendable {
        package var type: ExposureType
        /// With `NodePort`: the address, or the host name, of the seed's nodes.
        package var address: String?
        /// With `LoadBalancer`: what is said to whoever makes them.
        package var annotations: [String: String]?
    }

    /// A taint that pods put up with (core/v1 Toleration).
    package struct Toleration: Codable, Hashable, Sendable {
        /// Any where it is missing.
        package var key: String?
        /// `Equal` where it is missing, or `Exists`.
        package var `operator`: String?
        package var value: String?
        /// Any where it is missing.
        package var effect: String?
        /// With `NoExecute`: how long; for good where it is missing.
        package var tolerationSeconds: Int?

        package init(
            key: String? = nil,
            operator: String? = nil,
            value: String? = nil,
            effect: String? = nil,
            tolerationSeconds: Int? = nil
        ) {
            (self.key, self.operator, self.value) = (key, `operator`, value)
            (self.effect, self.tolerationSeconds) = (effect, tolerationSeconds)
        }
    }

    /// Which of its nodes take the pods of control planes.
    package struct Placement: Codable, Hashable, Sendable {
        package var nodeSelector: [String: String]?
        package var tolerations: [Toleration]?

        package init(nodeSelector: [String: String]? = nil, tolerations: [Toleration]? = nil) {
            (self.nodeSelector, self.tolerations) = (nodeSelector, tolerations)
        }
    }

    /// Copies of what the shoots' etcds hold, in a bucket of an S3-compatible store.
    package struct Snapshots: Codable, Hashable, Sendable {
        package var intervalMinutes: Int
        /// How many of a shoot there are; older ones go.
        package var keep: Int
        /// `https://…` of the store, without the bucket.
        package var endpoint: String
        package var region: String
        package var bucket: String
        /// What all keys begin with; nothing where it is missing.
        package var prefix: String?
        /// The Secret with the access key in the coordinator's namespace.
        package var secretName: String

        package init(
            intervalMinutes: Int,
            keep: Int,
            endpoint: String,
            region: String,
            bucket: String,
            prefix: String?,
            secretName: String
        ) {
            (self.intervalMinutes, self.keep, self.endpoint) = (intervalMinutes, keep, endpoint)
            (self.region, self.bucket, self.prefix, self.secretName) = (region, bucket, prefix, secretName)
        }
    }

    /// What is wanted of it.
    package struct Spec: Codable, Hashable, Sendable {
        package var region: String?
        package var networks: Networks
        package var exposure: Exposure
        /// For the volumes of etcd; the cluster's default where it is missing.
        package var storageClassName: String?
        /// For the pods of control planes; none where it is missing.
        package var priorityClassName: String?
        /// For the same pods; any node where it is missing.
        package var placement: Placement?
        /// By what their images are pulled: names of Secrets in the coordinator's namespace.
        package var imagePullSecrets: [String]?
        /// Nobody makes any where it is missing.
        package var snapshots: Snapshots?
        /// How many shoots it takes.
        package var capacity: Int
        /// Whether new shoots are kept away.
        package var unschedulable: Bool
    }

    /// What is seen of it.
    package struct Status: Codable, Hashable, Sendable {
        package var shoots: Int?
        package var conditions: [Condition]?

        package init() {}
    }

    /// The condition by which a coordinator says that it takes care of the seed.
    package static let ready = "Ready"

    package static let resource = ResourceKind(
        group: TendrilAPI.group,
        version: TendrilAPI.version,
        plural: "seeds",
        isNamespaced: false
    )
    package var apiVersion: String? = TendrilAPI.groupVersion
    package var kind: String? = "Seed"
    package var metadata: ObjectMetadata
    package var spec: Spec
    package var status: Status?

    /// The resource's definition.
    package static func definition() throws -> ResourceDefinition {
        ResourceDefinition(
            kind: "Seed",
            resource: resource,
            shortNames: [],
            columns: [
                .init("Region", ".spec.region"), .init("Shoots", ".status.shoots", type: "integer"),
                .init("Capacity", ".spec.capacity", type: "integer"),
                .init("Ready", ".status.conditions[?(@.type==\"Ready\")].status"),
            ],
            schema: try Schema(of: Seed.self, rules: rules.merging(StatusRules.seed) { own, _ in own })
        )
    }

    private static let rules: [String: FieldRule] = [
        "spec.region": FieldRule("Where it is.", maximumCount: 63),
        "spec.networks.pods": FieldRule("The range of its pods.", maximumCount: 43),
        "spec.networks.services": FieldRule("The range of its Services.", maximumCount: 43),
        "spec.networks.nodes": FieldRule("The range of its machines.", maximumCount: 43),
        "spec.exposure.type": FieldRule("How what runs in it is reached from outside.", default: "LoadBalancer"),
        "spec.exposure.address": FieldRule("Required with NodePort: where its nodes are reached.", maximumCount: 253),
        "spec.exposure.annotations": FieldRule(
            "With LoadBalancer: annotations of each shoot's two Services, for the cloud's controller.",
            maximumCount: 20
        ),
        "spec.storageClassName": FieldRule("For the volumes of etcd; the default class if missing.", maximumCount: 63),
        "spec.priorityClassName": FieldRule(
            "For the pods of control planes: a PriorityClass of the seed, such as tendril-control-plane.",
            maximumCount: 253
        ),
        "spec.placement": FieldRule("Which nodes of the seed take the pods of control planes; any if missing."),
        "spec.placement.nodeSelector": FieldRule("Labels that these nodes have.", maximumCount: 20),
        "spec.placement.tolerations": FieldRule("Taints that these pods put up with.", maximumCount: 20),
        "spec.placement.tolerations[].key": FieldRule("The taint's key; any, with Exists, if missing."),
        "spec.placement.tolerations[].operator": FieldRule(
            "Equal, which is meant if it is missing, or Exists, which takes any value.",
            pattern: "^(Equal|Exists)$"
        ),
        "spec.placement.tolerations[].value": FieldRule("The taint's value, with Equal.", maximumCount: 63),
        "spec.placement.tolerations[].effect": FieldRule(
            "The taint's effect; any if missing.",
            pattern: "^(NoSchedule|PreferNoSchedule|NoExecute)$"
        ),
        "spec.placement.tolerations[].tolerationSeconds": FieldRule(
            "With NoExecute: how long, in seconds; for good if missing.",
            minimum: 0
        ),
        "spec.imagePullSecrets": FieldRule(
            "Secrets of type kubernetes.io/dockerconfigjson in the coordinator's namespace, by which the images of control planes are pulled; each shoot's namespace gets copies.",
            maximumCount: 10
        ),
        "spec.imagePullSecrets[]": FieldRule("A Secret's name.", maximumCount: 248),
        "spec.snapshots": FieldRule(
            "Snapshots of the shoots' etcds in a bucket of an S3-compatible store; none are made if missing."
        ),
        "spec.snapshots.intervalMinutes": FieldRule(
            "How often one is made: 10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720 or 1440.",
            minimum: 10,
            maximum: 1440,
            default: 60
        ),
        "spec.snapshots.keep": FieldRule(
            "How many of each shoot are kept, besides the last one of each of the last seven days.",
            minimum: 1,
            maximum: 1000,
            default: 48
        ),
        "spec.snapshots.endpoint": FieldRule(
            "The store's URL without the bucket, such as https://s3.eu-central-1.amazonaws.com.",
            maximumCount: 300
        ),
        "spec.snapshots.region": FieldRule("The store's region, by which requests are signed.", maximumCount: 63),
        "spec.snapshots.bucket": FieldRule("The bucket's name.", maximumCount: 63),
        "spec.snapshots.prefix": FieldRule("What all keys begin with, such as tendril/eu1.", maximumCount: 200),
        "spec.snapshots.secretName": FieldRule(
            "A Secret in the coordinator's namespace with accessKeyID, secretAccessKey and, for a store of one's own CA, ca.crt.",
            maximumCount: 253
        ),
        "spec.capacity": FieldRule("How many shoots it takes.", minimum: 0, maximum: 10000, default: 200),
        "spec.unschedulable": FieldRule("Whether new shoots are kept away.", default: false),
    ]
}
