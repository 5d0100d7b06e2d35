package import ClusterModel
package import NodePlan
package import ShootPlan
internal import TendrilCore

/// A shoot without problems, as tests change it.
package enum Samples {
    package static func shoot(_ change: (inout Shoot) -> Void = { _ in }) throws -> Shoot {
        let text: JSONValue = [
            "apiVersion": "tendril.dev/v1alpha1", "kind": "Shoot", "metadata": ["name": "one", "namespace": "demo"],
            "spec": [
                "kubernetes": ["version": "1.20.2"], "provider": ["type": "local"],
                "workers": [["name": "worker"]],
            ],
        ]
        let whole = try Shoot.definition().schema.fillingIn(text)
        var shoot = try whole.decoded(as: Shoot.self)
        change(&shoot)
        return shoot
    }

    package static var seed: Seed.Spec {
        get throws {
            let spec: JSONValue = [
                "networks": ["pods": "10.245.0.0/16", "services": "10.97.0.0/16", "nodes": "10.3.0.0/16"],
                "exposure": ["type": "NodePort", "address": "198.51.100.1"],
            ]
            let whole = try Seed.definition().schema.fillingIn(["metadata": ["name": "here"], "spec": spec])
            return try whole.decoded(as: Seed.self).spec
        }
    }

    /// Where a seed's snapshots may go.
    package static let snapshots = Seed.Snapshots(
        intervalMinutes: 60,
        keep: 2,
        endpoint: "https://store.example:9000",
        region: "eu1",
        bucket: "snapshots",
        prefix: "tendril",
        secretName: "snapshots"
    )

    /// A Seed of this name, as tests change it.
    package static func seed(_ name: String, _ change: (inout Seed) -> Void = { _ in }) throws -> Seed {
        let object: JSONValue = ["metadata": ["name": .string(name)], "spec": try CanonicalJSON.value(try seed)]
        var made = try object.decoded(as: Seed.self)
        change(&made)
        return made
    }

    package static func facts(
        _ seedVersion: KubernetesVersion = KubernetesVersion(minor: 20),
        _ change: (inout Shoot) -> Void = { _ in }
    ) throws -> ClusterFacts? {
        ClusterFacts(
            try shoot(change),
            images: ImageSource(kubernetes: "registry.k8s.io", tendril: "ghcr.io/tendril"),
            seed: try seed,
            seedVersion: seedVersion
        )
    }

    package static let addresses = ControlPlaneAddresses(
        etcd: "10.97.0.5",
        apiServer: "10.97.0.6",
        frontDoor: .init(host: "198.51.100.1", port: 30443),
        link: .init(host: "198.51.100.1", port: 30132)
    )
}
