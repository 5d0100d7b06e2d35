internal import ClusterModel
internal import KubernetesClient
internal import ShootPlan
internal import TendrilCore

/// What the shoot itself needs before its first machine comes.
enum SystemTask {
    static func make(_ work: ShootWork) -> ShootTask {
        ShootTask(
            name: TaskName.system,
            title: "Preparing the cluster for its nodes",
            after: [TaskName.apiAnswers],
            inputs: { records in
                [
                    "credentials": records[TaskName.authorities] ?? .null,
                    "addresses": records[TaskName.services] ?? .null,
                    "objects": .array(
                        Addons.system(work.facts, gateKey: "") + (try BootstrapManifests.all(clusterInfo: nil))
                    ),
                ]
            },
            perform: { records in
                let shoot = try await work.shootClient()
                let gate = try await work.secret(KeyName.gate.rawValue)[NodeRendering.gateKey] ?? []
                let bundle = try await work.secret(Authority.cluster.bundle)[SecretKey.authority] ?? []
                let server = try work.addresses(records).frontDoorURL
                let objects =
                    try BootstrapManifests.all(clusterInfo: (server, bundle))
                    + Addons.system(work.facts, gateKey: gate.base64)
                var installed = InstalledObjects()
                for object in objects {
                    // What a definition brings is served a moment later, and namespaces are made one after the other.
                    let applied = try await Waiting.until(.seconds(30), for: "an object to be taken") {
                        .success(try await shoot.serverSideApply(object, manager: Ownership.manager))
                            as Result<JSONValue, Waiting.NotYet>
                    }
                    installed.note(object, as: applied)
                }
                return try CanonicalJSON.value(installed)
            }
        )
    }
}
