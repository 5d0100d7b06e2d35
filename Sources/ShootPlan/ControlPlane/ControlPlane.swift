internal import ClusterModel
internal import FoundationEssentials
internal import NodePlan
package import TendrilCore

/// Renders the control plane of a shoot as objects of its seed.
package enum ControlPlane {
    /// The namespace, closed to all that is not said to be open.
    package static func namespace(_ cluster: ClusterFacts, project: String, name: String) -> [JSONValue] {
        let everywhere: JSONValue = [:]
        func policy(_ name: String, _ spec: JSONValue) -> JSONValue {
            [
                "apiVersion": .string(cluster.seedTraits.networkPolicyVersion), "kind": "NetworkPolicy",
                "metadata": PodParts.metadata(cluster, name), "spec": spec,
            ]
        }
        let own: JSONValue = [["podSelector": [:]]]
        return [
            [
                "apiVersion": "v1", "kind": "Namespace",
                "metadata": [
                    "name": .string(cluster.id),
                    "labels": Ownership.renderedLabels.merging([
                        "tendril.dev/shoot": .string(name), "tendril.dev/project": .string(project),
                        "pod-security.kubernetes.io/enforce": "restricted",
                    ]),
                ],
            ],
            // More than a control plane ever has, while all of it rolls and is exchanged; a fault is not to fill the seed.
            [
                "apiVersion": "v1", "kind": "ResourceQuota",
                "metadata": PodParts.metadata(cluster, "control-plane"),
                "spec": [
                    "hard": [
                        "pods": "60", "services": "10", "services.loadbalancers": "2", "persistentvolumeclaims": "5",
                        "secrets": "200", "configmaps": "50",
                    ]
                ],
            ],
            policy("default-deny", ["podSelector": everywhere, "policyTypes": ["Ingress", "Egress"]]),
            policy(
                "own-namespace",
                [
                    "podSelector": everywhere, "policyTypes": ["Ingress", "Egress"], "ingress": [["from": own]],
                    "egress": [["to": own]],
                ]
            ),
            policy(
                "front-door",
                [
                    "podSelector": ["matchLabels": PodParts.selector(cluster, "kube-apiserver")],
                    "policyTypes": ["Ingress"],
                    "ingress": [["ports": [["port": 6443, "protocol": "TCP"], ["port": 8132, "protocol": "TCP"]]]],
                ]
            ),
            policy(
                "metrics",
                [
                    "podSelector": everywhere, "policyTypes": ["Ingress"],
                    "ingress": [
                        [
                            "from": [["namespaceSelector": ["matchLabels": ["tendril.dev/monitoring": "true"]]]],
                            "ports": [
                                ["port": .integer(PodParts.metricsPort), "protocol": "TCP"],
                                ["port": .integer(PodParts.etcdMetricsPort), "protocol": "TCP"],
                            ],
                        ]
                    ],
                ]
            ),
            // An earlier release let everybody ask for names anywhere by this one; a later one may do without it.
            policy("names", ["podSelector": everywhere, "policyTypes": ["Egress"], "egress": []]),
        ]
    }

    /// The Services, whose addresses everything else needs.
    package static func services(_ cluster: ClusterFacts) -> [JSONValue] {
        func service(_ name: String, _ component: String, type: String, port: Int, target: Int) -> JSONValue {
            [
                "apiVersion": "v1", "kind": "Service", "metadata": PodParts.metadata(cluster, name),
                "spec": [
                    "type": .string(type), "selector": PodParts.selector(cluster, component),
                    "ports": [
                        ["name": "https", "port": .integer(port), "targetPort": .integer(target), "protocol": "TCP"]
                    ],
                ],
            ]
        }
        let outside = cluster.seed.exposure.type.rawValue
        return [
            service("etcd", "etcd", type: "ClusterIP", port: 2379, target: 2379),
            exposed(cluster, service("kube-apiserver", "kube-apiserver", type: outside, port: 443, target: 6443)),
            exposed(cluster, service("vpn-server", "kube-apiserver", type: outside, port: 8132, target: 8132)),
        ]
    }

    /// A Service with what its operator says to whoever makes the seed's load balancers.
    private static func exposed(_ cluster: ClusterFacts, _ service: JSONValue) -> JSONValue {
        let exposure = cluster.seed.exposure
        guard exposure.type == .loadBalancer, let said = exposure.annotations, !said.isEmpty else { return service }
        return service.merging(["metadata": ["annotations": .object(said.mapValues { .string($0) })]])
    }

    /// etcd with a volume that outlives it.
    package static func etcd(_ cluster: ClusterFacts, digests: [String: String]) -> [JSONValue] {
        let secrets = ["etcd-server", "ca-etcd-bundle"]
        let (server, ca) = (PodParts.path("etcd-server", "tls"), PodParts.path("ca-etcd-bundle", "ca.crt"))
        let command = [
            "etcd", EtcdMember.name, "--data-dir=\(EtcdMember.data)", "--listen-client-urls=https://0.0.0.0:2379",
            "--advertise-client-urls=https://etcd.\(cluster.id).svc:2379",
            "--listen-peer-urls=\(EtcdMember.peerURL)", EtcdMember.peerURLs, EtcdMember.cluster,
            "--listen-metrics-urls=http://0.0.0.0:\(PodParts.etcdMetricsPort)",
            "--client-cert-auth", "--trusted-ca-file=\(ca)", "--cert-file=\(server).crt", "--key-file=\(server).key",
            "--auto-compaction-mode=periodic", "--auto-compaction-retention=30m", EtcdQuota.argument,
        ]
        func probe(_ question: JSONValue, period: Int, failures: Int) -> JSONValue {
            question.merging([
                "periodSeconds": .integer(period), "failureThreshold": .integer(failures), "timeoutSeconds": 5,
            ])
        }
        let container = PodParts.container(
            "etcd",
            image: cluster.kubernetesImage(tagged: cluster.traits.etcd),
            command: command,
            secrets: secrets,
            requests: ("50m", "150Mi"),
            with: [
                "volumeMounts": [EtcdMember.mount], "ports": PodParts.etcdMetricsPorts,
                // While it is defragmented it answers nobody.
                "livenessProbe": PodParts.patient(probe(cluster.traits.etcdLiveness, period: 10, failures: 12)),
                "readinessProbe": probe(KubernetesTraits.etcdReadiness, period: 1, failures: 6),
            ]
        )
        var claim: [String: JSONValue] = [
            "accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "10Gi"]],
        ]
        if let storage = cluster.seed.storageClassName { claim["storageClassName"] = .string(storage) }
        return [
            [
                "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": PodParts.metadata(cluster, "etcd"),
                "spec": [
                    "replicas": .integer(cluster.isHibernated ? 0 : 1), "serviceName": "etcd",
                    // A pod that never gets ready gives way to a template that mends it (kubernetes/kubernetes#67250).
                    "podManagementPolicy": "Parallel",
                    "selector": ["matchLabels": PodParts.selector(cluster, "etcd")],
                    "template": PodParts.template(
                        cluster,
                        "etcd",
                        containers: [container],
                        secrets: secrets,
                        // It reads its certificate and key anew for each connection (from 3.2 on, client/pkg/transport), but
                        // the CA once.
                        digests: digests.filter { $0.key != "etcd-server" },
                        isAlone: true
                    ),
                    "volumeClaimTemplates": [["metadata": ["name": "data"], "spec": .object(claim)]],
                ],
            ]
        ]
    }

    /// kube-apiserver with the tunnel's server beside it, by which it reaches nodes, pods and Services.
    package static func apiServer(
        _ cluster: ClusterFacts,
        _ addresses: ControlPlaneAddresses,
        digests: [String: String]
    ) throws -> [JSONValue] {
        let (secrets, tunnelSecrets) = (
            APIServer.secrets, ["ca-vpn-bundle", "vpn-server", "vpn-gate-key", APIServer.nodesReader]
        )
        let shared: JSONValue = ["name": "tunnel", "mountPath": "/run/tendril"]
        let configuration: JSONValue = ["name": "configuration", "mountPath": "/srv/configuration", "readOnly": true]
        let server = PodParts.container(
            "kube-apiserver",
            image: cluster.kubernetesImage("kube-apiserver"),
            command: ["kube-apiserver"] + APIServer.flags(cluster, addresses),
            secrets: secrets,
            requests: ("100m", "300Mi"),
            with: [
                "volumeMounts": [shared, configuration],
                // From 1.21 on the official image's program carries this capability, and without it cannot be started
                // (build/server-image/kube-apiserver/Dockerfile).
                "securityContext": ["capabilities": ["drop": ["ALL"], "add": ["NET_BIND_SERVICE"]]],
                "livenessProbe": PodParts.patient(PodParts.probe("/livez", port: 6443, failures: 8)),
                "readinessProbe": PodParts.probe("/readyz", port: 6443, failures: 2, period: 1),
            ]
        )
        let tunnel = PodParts.container(
            "tendril-vpn",
            image: cluster.tendrilImage("tendril-vpn"),
            command: APIServer.tunnelCommand(cluster),
            secrets: tunnelSecrets,
            requests: ("20m", "32Mi"),
            with: [
                "volumeMounts": [shared, configuration], "ports": PodParts.metricsPorts,
                // It fails where a thread stands still, and never for links that are down.
                "livenessProbe": PodParts.ownLiveness,
                // By the kernel: a control loop that stands still does not take kube-apiserver, which goes on, from its clients.
                "readinessProbe": ["tcpSocket": ["port": 8132], "periodSeconds": 1],
            ]
        )
        let all = secrets + tunnelSecrets
        let data = try APIServer.configuration(cluster)
        let template = PodParts.template(
            cluster,
            "kube-apiserver",
            containers: [server, tunnel],
            secrets: all,
            digests: digests,
            volumes: [
                ["name": "tunnel", "emptyDir": ["medium": "Memory"]],
                ["name": "configuration", "configMap": ["name": "kube-apiserver"]],
            ],
            configuration: data.sorted { $0.key < $1.key }.map(\.value).joined()
        )
        return [
            [
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": PodParts.metadata(cluster, "kube-apiserver"),
                "data": .object(data.mapValues { .string($0) }),
            ],
            PodParts.budget(cluster, "kube-apiserver"),
            PodParts.deployment(cluster, "kube-apiserver", template: template),
        ]
    }

    /// The controllers of Kubernetes, and the approver of nodes' certificates.
    package static func controllers(_ cluster: ClusterFacts, digests: [String: String]) -> [JSONValue] {
        func part(
            _ name: String,
            image: String,
            _ command: [String],
            _ secrets: [String],
            memory: String,
            _ more: JSONValue
        ) -> JSONValue {
            let container = PodParts.container(
                name,
                image: image,
                command: command,
                secrets: secrets,
                requests: ("10m", memory),
                with: more
            )
            let template = PodParts.template(
                cluster,
                name,
                containers: [container],
                secrets: secrets,
                digests: digests,
                // They may be killed at any time, and as first processes of their containers not all of them hear SIGTERM
                // (cmd/kube-controller-manager of 1.20 takes no signals).
                graceSeconds: 5
            )
            return PodParts.deployment(cluster, name, template: template)
        }
        let manager = "kube-controller-manager"
        let scheduler = "kube-scheduler"
        return [
            part(
                manager,
                image: cluster.kubernetesImage(manager),
                [manager] + Controllers.managerFlags(cluster),
                Controllers.managerSecrets,
                memory: "90Mi",
                ["livenessProbe": PodParts.probe("/healthz", port: 10257, failures: 6)]
            ),
            part(
                scheduler,
                image: cluster.kubernetesImage(scheduler),
                [scheduler] + Controllers.schedulerFlags(cluster),
                [scheduler],
                memory: "45Mi",
                ["livenessProbe": PodParts.probe("/healthz", port: 10259, failures: 6)]
            ),
            part(
                "tendril-approver",
                image: cluster.tendrilImage("tendril-coordinator"),
                Controllers.approverCommand(cluster),
                ["tendril-approver", "ca-vpn"],
                memory: "32Mi",
                ["ports": PodParts.metricsPorts, "livenessProbe": PodParts.ownLiveness]
            ),
        ]
    }
}
