package import ClusterModel
package import TendrilCore

/// The pods that make snapshots of a shoot's etcd, and bring one back.
///
/// None has an account of the seed, or a shell: etcd's own program and ours work on the same folder one after the other.
package enum SnapshotJobs {
    /// The Secret with the access key in the shoot's namespace; only containers with our program see it.
    package static let secret = "snapshot-store"
    /// The CronJob's name.
    package static let maker = "etcd-snapshot"
    private static let restorer = "etcd-restore"

    private static let folder = "/snapshot"
    private static let file = "\(folder)/etcd.snapshot"
    private static let mount: JSONValue = ["name": "snapshot", "mountPath": .string(folder)]
    private static func space(_ limit: String) -> JSONValue {
        ["name": "snapshot", "emptyDir": ["sizeLimit": .string(limit)]]
    }
    /// etcd's own.
    private static let volume: JSONValue = [
        "name": "data", "persistentVolumeClaim": ["claimName": .string(EtcdMember.claim)],
    ]

    /// The Job's name.
    package static func name(of restoration: Restoration) -> String { "\(restorer)-\(restoration.startTime)" }

    /// The way out: to names and to the store's port, and none where the seed has no store.
    package static func policy(_ cluster: ClusterFacts) -> JSONValue {
        var ports: [JSONValue] = []
        if let port = cluster.seed.snapshots.flatMap({ SnapshotRules.port($0.endpoint) }) {
            ports = [
                ["port": 53, "protocol": "UDP"], ["port": 53, "protocol": "TCP"],
                ["port": .integer(Int(port)), "protocol": "TCP"],
            ]
        }
        return [
            "apiVersion": .string(cluster.seedTraits.networkPolicyVersion), "kind": "NetworkPolicy",
            "metadata": PodParts.metadata(cluster, "snapshots"),
            "spec": [
                "podSelector": [
                    "matchExpressions": [
                        [
                            "key": "app.kubernetes.io/name", "operator": "In",
                            "values": [.string(maker), .string(restorer)],
                        ]
                    ]
                ],
                "policyTypes": ["Egress"], "egress": ports.isEmpty ? [] : [["ports": .array(ports)]],
            ],
        ]
    }

    /// What makes snapshots again and again, but not while the shoot sleeps.
    ///
    /// - Parameters:
    ///   - cluster: whose etcd it is.
    ///   - settings: of its seed.
    ///   - addresses: where etcd is.
    ///   - keys: what the keys of the shoot's snapshots begin with.
    /// - Returns: the CronJob.
    package static func cronJob(
        _ cluster: ClusterFacts,
        _ settings: Seed.Snapshots,
        _ addresses: ControlPlaneAddresses,
        keys: String
    ) -> JSONValue {
        var secrets = SecretMounts()
        let environment = [
            "ETCDCTL_CACERT": secrets.bundle(.etcd), "ETCDCTL_CERT": secrets.certificate(.snapshots),
            "ETCDCTL_ENDPOINTS": addresses.etcdURL, "ETCDCTL_KEY": secrets.key(.snapshots),
        ]
        let save = PodParts.container(
            "save",
            image: cluster.kubernetesImage(tagged: cluster.traits.etcd),
            command: ["etcdctl", "snapshot", "save", file],
            secrets: secrets,
            requests: ("10m", "64Mi"),
            with: [
                "volumeMounts": [mount],
                "env": .array(
                    environment.sorted { $0.key < $1.key }.map {
                        ["name": .string($0.key), "value": .string($0.value)]
                    }
                ),
            ]
        )
        var all = secrets
        let upload = own(cluster, "upload", ["--file", file, "--keys=\(keys)"], in: settings, of: &all)
        let job = job(
            pod(
                cluster,
                maker,
                secrets: all,
                first: [save],
                then: upload,
                volumes: [space(EtcdQuota.snapshotLimit)]
            ),
            seconds: min(settings.intervalMinutes, 60) * 60,
            retries: 1
        )
        return [
            "apiVersion": .string(cluster.seedTraits.cronJobVersion), "kind": "CronJob",
            "metadata": PodParts.metadata(cluster, maker),
            "spec": [
                "schedule": .string(SnapshotPlan.schedule(every: settings.intervalMinutes, of: cluster.id)),
                "concurrencyPolicy": "Forbid", "suspend": .bool(cluster.isHibernated),
                // Who was away for long makes one, and is not lost among all that were missed (Kubernetes documentation,
                // "CronJob").
                "startingDeadlineSeconds": 300, "successfulJobsHistoryLimit": 1, "failedJobsHistoryLimit": 1,
                "jobTemplate": ["spec": job],
            ],
        ]
    }

    /// What brings a snapshot back, while nobody uses the volume: the data is made, and the snapshot's digest checked, elsewhere, and
    /// only the last step sees the volume.
    ///
    /// - Parameters:
    ///   - cluster: whose etcd it is.
    ///   - settings: of its seed.
    ///   - restoration: which snapshot.
    ///   - keys: what the keys of the shoot's snapshots begin with.
    /// - Returns: the Job.
    package static func restore(
        _ cluster: ClusterFacts,
        _ settings: Seed.Snapshots,
        _ restoration: Restoration,
        keys: String
    ) -> JSONValue {
        let key = "\(keys)\(restoration.snapshot)\(SnapshotPlan.ending)"
        let object = ["--file", file, "--key=\(key)", "--size", "\(restoration.size)"]
        let made = "\(folder)/\(RestoredData.made)"
        var secrets = SecretMounts()
        let download = own(cluster, "download", object, in: settings, of: &secrets)
        let ahead = ["--bump-revision=\(restoration.revisions)", "--mark-compacted"]
        let make = PodParts.container(
            "make",
            image: cluster.kubernetesImage(tagged: cluster.traits.etcd),
            command: [
                cluster.traits.etcdRestore, "snapshot", "restore", file, "--data-dir=\(made)", EtcdMember.name,
                EtcdMember.peerURLs, EtcdMember.cluster,
            ] + (cluster.traits.restoresAhead ? ahead : []),
            secrets: SecretMounts(),
            requests: ("50m", "150Mi"),
            with: ["volumeMounts": [mount]]
        )
        let replace = own(
            cluster,
            "replace",
            place(restoration) + ["--made", made],
            mounts: [mount, EtcdMember.mount],
            of: &secrets
        )
        let pod = pod(
            cluster,
            restorer,
            secrets: secrets,
            first: [download, make],
            then: replace,
            volumes: [space(EtcdQuota.restoredLimit), volume]
        )
        return restoringJob(cluster, restoration, pod, retries: 2)
    }

    /// What has the data of before the last restoration in use again, while nobody uses the volume.
    ///
    /// - Parameters:
    ///   - cluster: whose etcd it is.
    ///   - restoration: the way back.
    /// - Returns: the Job.
    package static func goBack(_ cluster: ClusterFacts, _ restoration: Restoration) -> JSONValue {
        var secrets = SecretMounts()
        let back = own(cluster, "back", place(restoration), mounts: [EtcdMember.mount], of: &secrets)
        let pod = pod(cluster, restorer, secrets: secrets, first: [], then: back, volumes: [volume])
        // What the volume does not have, no other pod finds, and everything stands still meanwhile.
        return restoringJob(cluster, restoration, pod, retries: 0)
    }

    /// Whose data it is, as our program is told.
    private static func place(_ restoration: Restoration) -> [String] {
        ["--volume", EtcdMember.volume, "--restoration", "\(restoration.startTime)"]
    }

    /// A Job that has to end in time, and is there for a week to be looked at.
    private static func restoringJob(
        _ cluster: ClusterFacts,
        _ restoration: Restoration,
        _ pod: JSONValue,
        retries: Int
    ) -> JSONValue {
        let name: JSONValue = ["name": .string(name(of: restoration))]
        return [
            "apiVersion": .string(cluster.seedTraits.jobVersion), "kind": "Job",
            "metadata": PodParts.metadata(cluster, restorer).merging(name),
            "spec": job(pod, seconds: 1200, retries: retries).merging(["ttlSecondsAfterFinished": 604_800]),
        ]
    }

    /// Where the store is, as our program is told; the access key it reads from files.
    private static func store(_ settings: Seed.Snapshots, _ secrets: inout SecretMounts) -> [String] {
        [
            "--endpoint", settings.endpoint, "--region", settings.region, "--bucket", settings.bucket,
            "--credentials", secrets.folder(secret),
        ]
    }

    /// A container with our program.
    ///
    /// - Parameters:
    ///   - cluster: whose etcd it is.
    ///   - step: what it does.
    ///   - arguments: what it is told.
    ///   - settings: where the store is; `nil` for one that does not speak with it.
    ///   - mounts: what it sees besides Secrets.
    ///   - pod: the Secrets of the pod that it is a part of; what it sees itself becomes part of them.
    /// - Returns: the container.
    private static func own(
        _ cluster: ClusterFacts,
        _ step: String,
        _ arguments: [String],
        in settings: Seed.Snapshots? = nil,
        mounts: [JSONValue] = [mount],
        of pod: inout SecretMounts
    ) -> JSONValue {
        var secrets = SecretMounts()
        var command = ["/usr/bin/tendril-coordinator", "snapshot", step] + arguments
        if let settings { command += store(settings, &secrets) }
        pod = pod.union(secrets)
        return PodParts.container(
            step,
            image: cluster.tendrilImage("tendril-coordinator"),
            command: command,
            secrets: secrets,
            requests: ("10m", "32Mi"),
            with: ["volumeMounts": .array(mounts), "terminationMessagePolicy": "FallbackToLogsOnError"]
        )
    }

    /// A pod whose containers do one thing after the other, and end at once when they are told to: nothing is to go on in one
    /// whose Job has failed, or has made another.
    private static func pod(
        _ cluster: ClusterFacts,
        _ component: String,
        secrets: SecretMounts,
        first: [JSONValue],
        then last: JSONValue,
        volumes: [JSONValue]
    ) -> JSONValue {
        PodParts.template(
            cluster,
            component,
            containers: [last],
            secrets: secrets,
            digests: [:],
            volumes: volumes,
            graceSeconds: 1,
            isAlone: true
        ).merging(["spec": ["initContainers": .array(first), "restartPolicy": "Never"]])
    }

    private static func job(_ pod: JSONValue, seconds: Int, retries: Int) -> JSONValue {
        ["activeDeadlineSeconds": .integer(seconds), "backoffLimit": .integer(retries), "template": pod]
    }
}

/// The folders on etcd's volume between which a restoration moves data.
package enum RestoredData {
    /// What etcd works with.
    package static let used = "data"
    /// A copy of what etcd's own program makes of a snapshot, as far as it has come.
    package static let made = "data.made"
    /// What was used before; until the exchange what is to be used, whole and marked.
    package static let before = "data.before"
    /// A file in the data that names the restoration that it came by; etcd passes it over.
    package static let mark = "tendril-restoration"
    /// What files without content in the data begin with that name the restorations that led back to it.
    package static let way = "tendril-restoration-back-"
    /// A file beside the data that is locked by whoever moves it.
    package static let lock = "restoration.lock"
}
