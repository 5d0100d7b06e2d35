/// What a controller says of the pods that it keeps (apps/v1 DeploymentStatus and StatefulSetStatus).
package struct WorkloadStatus: Codable, Hashable, Sendable {
    package var observedGeneration: Int?
    package var replicas: Int?
    package var updatedReplicas: Int?
    package var readyReplicas: Int?
}

/// How many pods are wanted (apps/v1 DeploymentSpec and StatefulSetSpec); nothing else of them is read.
package struct WorkloadSpec: Codable, Hashable, Sendable {
    package var replicas: Int?
}

/// A Deployment or a StatefulSet, as far as it is read.
package protocol Workload: KubernetesObject {
    var spec: WorkloadSpec? { get }
    var status: WorkloadStatus? { get }
}

/// apps/v1 Deployment.
package struct Deployment: Workload {
    package static let resource = ResourceKind(group: "apps", plural: "deployments", isNamespaced: true)
    package var apiVersion: String?
    package var kind: String?
    package var metadata: ObjectMetadata
    package var spec: WorkloadSpec?
    package var status: WorkloadStatus?
}

/// apps/v1 StatefulSet.
package struct StatefulSet: Workload {
    package static let resource = ResourceKind(group: "apps", plural: "statefulsets", isNamespaced: true)
    package var apiVersion: String?
    package var kind: String?
    package var metadata: ObjectMetadata
    package var spec: WorkloadSpec?
    package var status: WorkloadStatus?
}
