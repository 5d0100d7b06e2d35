internal import ClusterModel
import TendrilCore

/// Pieces of pods as the control plane's parts share them.
enum PodParts {
    /// What changes with the Secrets that pods read once, and so makes new pods.
    static let secretsNote = "tendril.dev/secrets"

    /// Where our own programs serve metrics and health.
    static let metricsPort = 8133
    /// The same as a container says it, by a name that PodMonitors ask for.
    static var metricsPorts: JSONValue { [["name": "metrics", "containerPort": .integer(metricsPort)]] }

    /// Asks one of our own programs whether it is well; a machine that is merely busy gives it a minute.
    static var ownLiveness: JSONValue {
        [
            "httpGet": ["path": "/healthz", "port": "metrics"], "periodSeconds": 10, "timeoutSeconds": 10,
            "failureThreshold": 6,
        ]
    }

    /// Where etcd serves metrics and health: without TLS, and nothing else.
    static let etcdMetricsPort = 2381
    /// The same as its container says it.
    static var etcdMetricsPorts: JSONValue { [["name": "etcd-metrics", "containerPort": .integer(etcdMetricsPort)]] }

    static func labels(_ cluster: ClusterFacts, _ component: String) -> JSONValue {
        selector(cluster, component).merging(Ownership.renderedLabels)
    }

    static func selector(_ cluster: ClusterFacts, _ component: String) -> JSONValue {
        ["app.kubernetes.io/name": .string(component), "app.kubernetes.io/part-of": .string(cluster.id)]
    }

    static func metadata(_ cluster: ClusterFacts, _ name: String) -> JSONValue {
        ["name": .string(name), "namespace": .string(cluster.id), "labels": labels(cluster, name)]
    }

    /// Asks over HTTPS whether a part is well.
    static func probe(_ path: String, port: Int, failures: Int, period: Int = 5) -> JSONValue {
        [
            "httpGet": ["path": .string(path), "port": .integer(port), "scheme": "HTTPS"],
            "periodSeconds": .integer(period), "timeoutSeconds": 10, "failureThreshold": .integer(failures),
        ]
    }

    /// The same of what may take long to start, with much data or beside many others.
    ///
    /// kubeadm gives four minutes. A startup probe would have the readiness of those that are fast found later.
    static func patient(_ probe: JSONValue) -> JSONValue { probe.merging(["initialDelaySeconds": 240]) }

    /// A container without any privilege.
    static func container(
        _ name: String,
        image: String,
        command: [String],
        secrets: SecretMounts,
        requests: (cpu: String, memory: String),
        with more: JSONValue = [:]
    ) -> JSONValue {
        let base: JSONValue = [
            "name": .string(name), "image": .string(image), "imagePullPolicy": "IfNotPresent",
            "command": .array(command.map { .string($0) }),
            "resources": ["requests": ["cpu": .string(requests.cpu), "memory": .string(requests.memory)]],
            "securityContext": Confinement.container(),
        ]
        guard case .array(let given)? = more["volumeMounts"] else {
            return base.merging(["volumeMounts": .array(secrets.mounts)]).merging(more)
        }
        return base.merging(more).merging(["volumeMounts": .array(secrets.mounts + given)])
    }

    /// A pod's template: what changes of a Secret, or of a configuration that pods read once, makes new pods; so does another number
    /// of replicas, but for one that `isAlone` whatever their number is.
    static func template(
        _ cluster: ClusterFacts,
        _ component: String,
        containers: [JSONValue],
        secrets: SecretMounts,
        digests: [String: String],
        volumes: [JSONValue] = [],
        configuration: String = "",
        graceSeconds: Int = 30,
        isAlone: Bool = false
    ) -> JSONValue {
        var notes: JSONValue = .object([secretsNote: .string(secrets.sum(digests))])
        if !configuration.isEmpty { notes = notes.merging(["tendril.dev/configuration": .string(configuration)]) }
        var spec: [String: JSONValue] = [
            "automountServiceAccountToken": false, "enableServiceLinks": false,
            "terminationGracePeriodSeconds": .integer(graceSeconds),
            "securityContext": Confinement.pod.merging([
                "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532,
            ]),
            "containers": .array(containers), "volumes": .array(secrets.volumes + volumes),
        ]
        if cluster.spec.controlPlane.replicas > 1, !isAlone {
            let keys = ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
            spec["topologySpreadConstraints"] = SpreadConstraints.across(keys, selector(cluster, component))
        }
        spec.merge(SeedPlacement.fields(cluster.seed)) { $1 }
        return ["metadata": ["labels": labels(cluster, component), "annotations": notes], "spec": .object(spec)]
    }

    /// A Deployment: one pod after the other where there are several, and never two where there is one.
    static func deployment(_ cluster: ClusterFacts, _ component: String, template: JSONValue) -> JSONValue {
        let isSingle = cluster.spec.controlPlane.replicas == 1
        return [
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata(cluster, component),
            "spec": [
                "replicas": .integer(cluster.replicas), "revisionHistoryLimit": 1,
                "selector": ["matchLabels": selector(cluster, component)],
                "strategy": isSingle && component != "kube-apiserver"
                    ? ["type": "Recreate"]
                    : ["type": "RollingUpdate", "rollingUpdate": ["maxUnavailable": 0, "maxSurge": 1]],
                "template": template,
            ],
        ]
    }

    /// Keeps one pod while nodes of the seed are emptied.
    static func budget(_ cluster: ClusterFacts, _ component: String) -> JSONValue {
        [
            "apiVersion": .string(cluster.seedTraits.budgetVersion),
            "kind": "PodDisruptionBudget", "metadata": metadata(cluster, component),
            "spec": ["maxUnavailable": 1, "selector": ["matchLabels": selector(cluster, component)]],
        ]
    }
}
