import ClusterModel
import NodePlan
import TendrilCore

/// What kube-apiserver and the tunnel's server beside it are told.
enum APIServer {
    static let egressSocket = "/run/tendril/egress.sock"

    /// Who issues the tokens of ServiceAccounts.
    static let tokenIssuer = "https://kubernetes.default.svc"

    /// What kube-apiserver is told; what it is told of becomes part of the Secrets that it sees.
    static func flags(_ cluster: ClusterFacts, _ addresses: ControlPlaneAddresses, _ secrets: inout SecretMounts)
        -> [String]
    {
        let own: [String] = [
            "--etcd-servers=\(addresses.etcdURL)", "--etcd-cafile=\(secrets.bundle(.etcd))",
            "--etcd-certfile=\(secrets.certificate(.etcdClient))",
            "--etcd-keyfile=\(secrets.key(.etcdClient))",
            "--bind-address=0.0.0.0", "--secure-port=6443", "--allow-privileged=true",
            "--service-cluster-ip-range=\(cluster.spec.networking.services)",
            // Nodes vouch for themselves by two authorities: the users', and that of agents.
            "--client-ca-file=\(secrets.bundle(.client))",
            "--tls-cert-file=\(secrets.certificate(.apiServer))",
            "--tls-private-key-file=\(secrets.key(.apiServer))",
            "--tls-min-version=VersionTLS12",
            "--kubelet-client-certificate=\(secrets.certificate(.kubelets))",
            "--kubelet-client-key=\(secrets.key(.kubelets))",
            "--kubelet-certificate-authority=\(secrets.bundle(.kubelet))",
            "--kubelet-preferred-address-types=InternalIP", "--authorization-mode=Node,RBAC",
            AdmissionPlugins.enabling(cluster.spec.controlPlane.admissionPlugins),
            "--enable-bootstrap-token-auth=true",
            "--service-account-issuer=\(tokenIssuer)",
            "--service-account-key-file=\(secrets.file(.serviceAccount, SecretKey.tokenKeys))",
            "--service-account-signing-key-file=\(secrets.file(.serviceAccount, SecretKey.signingKey))",
            "--encryption-provider-config=\(secrets.file(.etcdEncryption, SecretKey.encryption))",
            "--requestheader-client-ca-file=\(secrets.bundle(.frontProxy))",
            "--requestheader-allowed-names=front-proxy", "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--requestheader-group-headers=X-Remote-Group", "--requestheader-username-headers=X-Remote-User",
            "--proxy-client-cert-file=\(secrets.certificate(.frontProxy))",
            "--proxy-client-key-file=\(secrets.key(.frontProxy))",
            "--egress-selector-config-file=/srv/configuration/egress.json",
            // Pods reach it by an address of their own node, which the coordinator publishes.
            "--endpoint-reconciler-type=none", "--profiling=false", "--shutdown-delay-duration=5s",
        ]
        let plane = cluster.spec.controlPlane
        return own + AuditPolicy.flags(plane.audit) + AdmissionPlugins.disabling(plane.admissionPlugins)
            + FeatureGates.flags(plane.featureGates) + IdentityProvider.flags(cluster.spec)
    }

    /// What starts the tunnel's server.
    ///
    /// The file is the same for pods of this release and of the one before, while they roll, and a daemon takes no setting that it
    /// does not know: what is new of it is told here.
    static func tunnelCommand(_ cluster: ClusterFacts) -> [String] {
        [
            "/usr/bin/tendril-vpn", "server", "--config", "/srv/configuration/vpn.json",
            // kube-apiserver gets its signal at the same moment and goes on; both are within the pod's grace period.
            "--linger-seconds=15", "--drain-seconds=25",
        ] + IdentityProvider.targets(cluster.spec).map { "--outside-target=\($0)" }
    }

    /// Files that are no secrets; what the tunnel's server is told of in them becomes part of the Secrets that it sees.
    static func configuration(_ cluster: ClusterFacts, _ secrets: inout SecretMounts) throws -> [String: String] {
        let connection: JSONValue = [
            "proxyProtocol": "HTTPConnect", "transport": ["uds": ["udsName": .string(egressSocket)]],
        ]
        let egress: JSONValue = [
            "apiVersion": .string(cluster.traits.egressSelectorVersion),
            "kind": "EgressSelectorConfiguration",
            // The second is for webhooks that are named by URLs: what a tenant writes there is not to be asked from the seed
            // (KEP-1281; apiserver, util/webhook/authentication.go).
            "egressSelections": .array(
                ["cluster", "controlplane"].map { ["name": .string($0), "connection": connection] }
            ),
        ]
        let networking = cluster.spec.networking
        let tunnel: JSONValue = [
            "apiVersion": "vpn.tendril.dev/v1alpha1", "kind": "ServerConfiguration", "listen": "0.0.0.0:8132",
            "ca": .string(secrets.bundle(.vpn)),
            "certificate": .string(secrets.certificate(.tunnel)),
            "key": .string(secrets.key(.tunnel)),
            "gateKey": .string(secrets.file(.gate, NodeRendering.gateKey)), "packets": false,
            "networks": [.string(networking.nodes), .string(networking.pods), .string(networking.services)],
            // A node speaks for itself; Services are every node's.
            "nodesKubeconfig": .string(secrets.kubeconfig(.nodes)),
            "sharedNetworks": [.string(networking.services)], "egressSocket": .string(egressSocket),
            "apiServer": "127.0.0.1:6443",
            "instances": .integer(cluster.spec.controlPlane.replicas), "lanes": .integer(cluster.spec.vpn.lanes),
            "metrics": .string("0.0.0.0:\(PodParts.metricsPort)"),
        ]
        var files = ["egress.json": egress, "vpn.json": tunnel]
        files[AuditPolicy.file] = AuditPolicy.document(cluster.spec.controlPlane.audit)
        files[IdentityProvider.file] = IdentityProvider.document(cluster.spec)
        return try files.mapValues { try CanonicalJSON.text($0) }
    }
}
