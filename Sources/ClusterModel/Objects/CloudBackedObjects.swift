/// core/v1 Service, as far as it says whether it has something in a cloud.
package struct KubernetesService: KubernetesObject {
    /// What is wanted of it.
    package struct Spec: Codable, Hashable, Sendable {
        package var type: String?
    }

    package static let resource = ResourceKind(plural: "services", isNamespaced: true)
    package var apiVersion: String? = "v1"
    package var kind: String? = "Service"
    package var metadata: ObjectMetadata
    package var spec: Spec?

    /// Whether somebody makes a load balancer for it.
    package var isBalanced: Bool { spec?.type == "LoadBalancer" }
}

/// core/v1 PersistentVolume, as far as it says what becomes of it.
package struct PersistentVolume: KubernetesObject {
    /// Whose it is (core/v1 ObjectReference).
    package struct Claim: Codable, Hashable, Sendable {
        package var namespace: String?
        package var name: String?
    }
    /// A volume of a CSI driver (core/v1 CSIPersistentVolumeSource).
    package struct Driven: Codable, Hashable, Sendable {
        /// What the driver calls it.
        package var volumeHandle: String?
    }
    /// A volume of AWS as releases before 1.27 knew it without a driver (core/v1 AWSElasticBlockStoreVolumeSource).
    package struct BlockStore: Codable, Hashable, Sendable {
        package var volumeID: String?
    }
    /// What it is.
    package struct Spec: Codable, Hashable, Sendable {
        package var persistentVolumeReclaimPolicy: String?
        package var claimRef: Claim?
        package var csi: Driven?
        package var awsElasticBlockStore: BlockStore?
    }

    package static let resource = ResourceKind(plural: "persistentvolumes", isNamespaced: false)
    package var apiVersion: String? = "v1"
    package var kind: String? = "PersistentVolume"
    package var metadata: ObjectMetadata
    package var spec: Spec?

    /// Whether what it stands for is outside of the cluster, and goes with its claim.
    package var goesWithItsClaim: Bool {
        guard let spec, spec.persistentVolumeReclaimPolicy == "Delete", spec.claimRef != nil else { return false }
        return spec.csi != nil || spec.awsElasticBlockStore != nil
    }

    /// What the cloud calls it; `nil` where it does not say.
    package var handle: String? { spec?.csi?.volumeHandle ?? spec?.awsElasticBlockStore?.volumeID }
}

/// core/v1 PersistentVolumeClaim, as far as it says which volume it has.
package struct PersistentVolumeClaim: KubernetesObject {
    /// What is wanted of it.
    package struct Spec: Codable, Hashable, Sendable {
        /// Missing or empty for none yet.
        package var volumeName: String?
    }

    package static let resource = ResourceKind(plural: "persistentvolumeclaims", isNamespaced: true)
    package var apiVersion: String? = "v1"
    package var kind: String? = "PersistentVolumeClaim"
    package var metadata: ObjectMetadata
    package var spec: Spec?
}
