package import ClusterModel

/// The objects of a shoot by which something is in a cloud: what its owner's controllers have made nobody else knows of.
package struct CloudObjects: Sendable {
    /// So many are told by their names.
    private static let told = 10

    /// Services with a load balancer.
    package let services: [ObjectMetadata]
    /// Claims whose volumes go with them, and those that may still be given one.
    package let claims: [ObjectMetadata]
    private let volumes: [PersistentVolume]
    /// Claims without a volume that is known.
    private let unbound: [ObjectMetadata]

    /// Chooses from all that there are.
    package init(_ services: [KubernetesService], _ volumes: [PersistentVolume], _ claims: [PersistentVolumeClaim]) {
        self.services = services.filter(\.isBalanced).map(\.metadata)
        self.volumes = volumes.filter(\.goesWithItsClaim)
        let going = Set(self.volumes.map(\.name))
        unbound = claims.filter { ($0.spec?.volumeName ?? "").isEmpty }.map(\.metadata)
        self.claims = claims.filter { going.contains($0.spec?.volumeName ?? "") }.map(\.metadata) + unbound
    }

    package var isEmpty: Bool { services.isEmpty && claims.isEmpty && volumes.isEmpty }

    /// The namespaces in which no more of them are to come.
    package var namespaces: Set<String> { Set((services + claims).compactMap(\.namespace)) }

    /// Those of the pods of a namespace that use one of the claims; a volume stays as long as a pod does (Kubernetes
    /// documentation, "Storage Object in Use Protection").
    package func users(among pods: [Pod], in namespace: String) -> [Pod] {
        let names = Set(claims.filter { $0.namespace == namespace }.compactMap(\.name))
        return pods.filter { !names.isDisjoint(with: $0.claims) }
    }

    /// What they are, by name, for people; of many the first.
    package var text: String {
        let names =
            services.map { "Service \(Self.place($0))" } + volumes.map(Self.name)
            + unbound.map { "PersistentVolumeClaim \(Self.place($0))" }
        let rest = names.count - Self.told
        return names.prefix(Self.told).joined(separator: ", ") + (rest > 0 ? " and \(rest) more" : "")
    }

    private static func name(_ volume: PersistentVolume) -> String {
        let handle = volume.handle.map { " (\($0.prefix(64)))" } ?? ""
        return "PersistentVolume \(volume.name)\(handle)"
    }

    private static func place(_ object: ObjectMetadata) -> String { "\(object.namespace ?? "")/\(object.name ?? "")" }
}
