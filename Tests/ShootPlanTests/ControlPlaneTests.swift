import ClusterModel
import FoundationEssentials
import ShootPlan
import ShootSamples
import TendrilCore
import Testing

@Suite("A control plane")
struct ControlPlaneTests {
    private func pod(_ objects: [JSONValue], _ name: String) throws -> JSONValue {
        let found = objects.first { $0["metadata"]?["name"]?.text == name && $0["spec"]?["template"] != nil }
        return try #require(found?["spec"]?["template"]?["spec"])
    }

    private func container(_ objects: [JSONValue], _ name: String) throws -> JSONValue {
        try #require(try pod(objects, name)["containers"]?.items.first)
    }

    @Test("lets an etcd live that is full, and all parts take their time to start", arguments: [20, 21, 22, 36])
    func probes(_ minor: Int) throws {
        let facts = try #require(try Samples.facts { $0.spec.kubernetes.version = "1.\(minor).0" })
        let etcd = try container(ControlPlane.etcd(facts, digests: [:]), "etcd")
        let liveness = try #require(etcd["livenessProbe"])
        if minor < 22 {
            #expect(liveness["tcpSocket"]?["port"] == 2381)
        } else {
            #expect(liveness["httpGet"]?["path"]?.text?.contains("exclude=NOSPACE") == true)
        }
        #expect(etcd["readinessProbe"]?["httpGet"]?["path"]?.text?.contains("exclude=NOSPACE") == true)
        let server = try container(
            try ControlPlane.apiServer(facts, Samples.addresses, digests: [:]),
            "kube-apiserver"
        )
        for probe in [liveness, try #require(server["livenessProbe"])] {
            #expect(probe["initialDelaySeconds"]?.number ?? 0 >= 240)
        }
    }

    @Test("starts a tunnel server anew that stands still for a minute, and takes nobody's API server for it")
    func tunnelHealth() throws {
        let facts = try #require(try Samples.facts())
        let objects = try ControlPlane.apiServer(facts, Samples.addresses, digests: [:])
        let tunnel = try #require(try pod(objects, "kube-apiserver")["containers"]?.items.last)
        #expect(tunnel["name"] == "tendril-vpn" && tunnel["readinessProbe"]?["tcpSocket"]?["port"] == 8132)
        let liveness = try #require(tunnel["livenessProbe"])
        // What links there are is no matter of its life.
        let question: JSONValue = ["path": "/healthz", "port": "metrics"]
        #expect(liveness["httpGet"] == question && tunnel["ports"]?.items.first?["name"] == "metrics")
        let period = try #require(liveness["periodSeconds"]?.number)
        let failures = try #require(liveness["failureThreshold"]?.number)
        #expect(period * failures >= 60)
    }

    @Test("has room on its volume for the database and for what makes it smaller")
    func room() throws {
        let facts = try #require(try Samples.facts())
        let set = try #require(ControlPlane.etcd(facts, digests: [:]).first)
        let command = try container([set], "etcd")["command"]?.items.compactMap(\.text) ?? []
        let quota = command.compactMap { $0.wholeMatch(of: /--quota-backend-bytes=([0-9]+)/)?.1 }.first.flatMap {
            Int($0)
        }
        let claim = set["spec"]?["volumeClaimTemplates"]?.items.first?["spec"]?["resources"]?["requests"]?["storage"]
        #expect(claim == "10Gi")
        #expect(try #require(quota) * 2 <= 10 << 30)
    }

    @Test("a database keeps the room that an earlier release gave it, and a new one has 4 GiB")
    func quota() throws {
        let facts = try #require(try Samples.facts())
        let wanted = try #require(ControlPlane.etcd(facts, digests: [:]).first)
        func sized(_ bytes: String) throws -> JSONValue {
            let etcd = try container([wanted], "etcd")
            let command = (etcd["command"]?.items ?? []).map { argument -> JSONValue in
                argument.text?.hasPrefix("--quota-backend-bytes=") == true
                    ? .string("--quota-backend-bytes=\(bytes)") : argument
            }
            let containers: JSONValue = [etcd.merging(["command": .array(command)])]
            return wanted.merging(["spec": ["template": ["spec": ["containers": containers]]]])
        }
        #expect(try sized("4294967296") == wanted)
        let larger = try sized("8589934592")
        #expect(larger != wanted && EtcdQuota.keeping(wanted, of: larger) == larger)
        for smaller in [try sized("2147483648"), try sized("much"), [:]] as [JSONValue] {
            #expect(EtcdQuota.keeping(wanted, of: smaller) == wanted)
        }
    }

    @Test("goes everywhere by the link: to the cluster, and to webhooks that a tenant names by URLs")
    func egress() throws {
        let facts = try #require(try Samples.facts())
        let objects = try ControlPlane.apiServer(facts, Samples.addresses, digests: [:])
        let text = try #require(objects.first { $0["kind"] == "ConfigMap" }?["data"]?["egress.json"]?.text)
        let document = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
        let selections = document["egressSelections"]?.items ?? []
        #expect(selections.compactMap { $0["name"]?.text } == ["cluster", "controlplane"])
        for selection in selections {
            #expect(selection["connection"]?["transport"]?["uds"]?["udsName"]?.text?.hasSuffix("egress.sock") == true)
        }
    }

    @Test("may speak with nobody outside of its namespace")
    func closed() throws {
        let facts = try #require(try Samples.facts())
        let objects = ControlPlane.namespace(facts, project: "demo", name: "one", uid: "u1")
        let ways = objects.filter { $0["kind"] == "NetworkPolicy" }.flatMap { $0["spec"]?["egress"]?.items ?? [] }
        #expect(ways == [["to": [["podSelector": [:]]]]])
    }

    /// What is said of the objects of its namespace that are of a kind, by their names.
    private func specs(_ kind: String) throws -> [String: JSONValue] {
        let facts = try #require(try Samples.facts())
        var specs: [String: JSONValue] = [:]
        let objects = ControlPlane.namespace(facts, project: "demo", name: "one", uid: "u1")
        for object in objects where object["kind"]?.text == kind {
            let name = try #require(object["metadata"]?["name"]?.text)
            specs[name] = object["spec"]
        }
        return specs
    }

    @Test("lets in and out what is said here, and nothing else; what an earlier release let out ends")
    func policies() throws {
        let own: JSONValue = [["podSelector": [:]]]
        let ports: JSONValue = [["port": 8133, "protocol": "TCP"], ["port": 2381, "protocol": "TCP"]]
        let monitoring: JSONValue = [["namespaceSelector": ["matchLabels": ["tendril.dev/monitoring": "true"]]]]
        let server: JSONValue = [
            "app.kubernetes.io/name": "kube-apiserver", "app.kubernetes.io/part-of": "shoot--demo--one",
        ]
        let wanted: [String: JSONValue] = [
            "default-deny": ["podSelector": [:], "policyTypes": ["Ingress", "Egress"]],
            "own-namespace": [
                "podSelector": [:], "policyTypes": ["Ingress", "Egress"], "ingress": [["from": own]],
                "egress": [["to": own]],
            ],
            "front-door": [
                "podSelector": ["matchLabels": server], "policyTypes": ["Ingress"],
                "ingress": [["ports": [["port": 6443, "protocol": "TCP"], ["port": 8132, "protocol": "TCP"]]]],
            ],
            "metrics": [
                "podSelector": [:], "policyTypes": ["Ingress"], "ingress": [["from": monitoring, "ports": ports]],
            ],
            "names": ["podSelector": [:], "policyTypes": ["Egress"], "egress": []],
        ]
        #expect(try specs("NetworkPolicy") == wanted)
    }

    @Test("has a namespace that holds no more than a control plane ever has")
    func quotaOfNamespace() throws {
        let hard: JSONValue = [
            "pods": "60", "services": "10", "services.loadbalancers": "2", "persistentvolumeclaims": "5",
            "secrets": "200", "configmaps": "50",
        ]
        #expect(try specs("ResourceQuota") == ["control-plane": ["hard": hard]])
    }

    @Test("stands on several nodes and in several zones where there are several of a part")
    func spread() throws {
        for replicas in [1, 3] {
            let facts = try #require(try Samples.facts { $0.spec.controlPlane.replicas = replicas })
            let objects = try ControlPlane.apiServer(facts, Samples.addresses, digests: [:])
            let keys = (try pod(objects, "kube-apiserver")["topologySpreadConstraints"]?.items ?? [])
                .compactMap { $0["topologyKey"]?.text }
            #expect(keys == (replicas == 1 ? [] : ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]))
        }
    }

    @Test("has one etcd, which stays as it is whatever number of the other parts there is")
    func etcdIsAlone() throws {
        let one = try #require(try Samples.facts { $0.spec.controlPlane.replicas = 1 })
        let two = try #require(try Samples.facts { $0.spec.controlPlane.replicas = 2 })
        #expect(ControlPlane.etcd(one, digests: [:]) == ControlPlane.etcd(two, digests: [:]))
    }

    @Test("is believed under the names that it had before, the last few of them")
    func formerHosts() throws {
        func addresses(_ host: String) -> ControlPlaneAddresses {
            var addresses = Samples.addresses
            addresses.frontDoor.host = host
            return addresses
        }
        let facts = try #require(try Samples.facts())
        let moved = addresses("b.example").following(addresses("192.0.2.9"))
        let server = try #require(CredentialPlan.leaves(facts, moved).first { $0.name == "kube-apiserver" })
        let old = try #require(IPAddress("192.0.2.9"))
        #expect(server.hosts.contains("b.example") && server.addresses.contains(old))
        #expect(addresses("a").following(addresses("a")).former == nil)
        #expect(addresses("a").following(addresses("b").following(addresses("a"))).former == ["b"])
        let many = ["c", "d", "e", "f", "g"].reduce(addresses("a")) { addresses($1).following($0) }
        #expect(many.former == ["c", "d", "e", "f"])
    }
}
