import ClusterModel
import FoundationEssentials
import NodePlan
import ShootPlan
import ShootSamples
import TendrilCore
import Testing

@Suite("Rendering")
struct RenderingTests {
    private func controlPlane(_ facts: ClusterFacts) throws -> [JSONValue] {
        ControlPlane.namespace(facts, project: "demo", name: "one", uid: "u1") + ControlPlane.services(facts)
            + ControlPlane.etcd(facts, digests: [:])
            + (try ControlPlane.apiServer(facts, Samples.addresses, digests: [:]))
            + ControlPlane.controllers(facts, digests: [:])
    }

    private func pods(_ objects: [JSONValue]) -> [JSONValue] { objects.compactMap { $0["spec"]?["template"]?["spec"] } }

    private func list(_ value: JSONValue?) -> [JSONValue] {
        guard case .array(let items)? = value else { return [] }
        return items
    }

    @Test("no part of the control plane has a privilege or a service account's token")
    func noPrivileges() throws {
        let facts = try #require(try Samples.facts())
        let pods = pods(try controlPlane(facts))
        #expect(pods.count == 5)
        for pod in pods {
            #expect(pod["automountServiceAccountToken"] == false && pod["hostNetwork"] == nil)
            for container in list(pod["containers"]) {
                let security = container["securityContext"]
                #expect(security?["allowPrivilegeEscalation"] == false && security?["runAsNonRoot"] == true)
                #expect(security?["capabilities"]?["drop"] == ["ALL"] && security?["privileged"] == nil)
            }
        }
    }

    @Test("the tunnel serves kube-apiserver after both were told to end, and ends before their pod is killed")
    func lingers() throws {
        let facts = try #require(try Samples.facts())
        let objects = try ControlPlane.apiServer(facts, Samples.addresses, digests: [:])
        let pod = try #require(pods(objects).first)
        let tunnel = try #require(list(pod["containers"]).first { $0["name"] == "tendril-vpn" })
        func seconds(_ flag: String) -> Int? {
            let words = list(tunnel["command"]).compactMap(\.text).filter { $0.hasPrefix(flag) }
            return words.first.flatMap { Int($0.dropFirst(flag.count)) }
        }
        let (linger, drain) = (try #require(seconds("--linger-seconds=")), try #require(seconds("--drain-seconds=")))
        guard case .integer(let grace)? = pod["terminationGracePeriodSeconds"] else {
            Issue.record("\(pod)")
            return
        }
        #expect(linger > 5 && linger <= drain && drain < grace)
        // A pod of the release before reads the same file, and takes no setting that it does not know.
        let known: Set = [
            "apiVersion", "kind", "listen", "ca", "certificate", "key", "gateKey", "packets", "networks",
            "nodesKubeconfig", "sharedNetworks", "egressSocket", "apiServer", "instances", "lanes", "metrics",
        ]
        let texts = objects.compactMap { $0["data"]?["vpn.json"]?.text }
        let text = try #require(texts.first)
        guard case .object(let file) = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)) else {
            Issue.record("\(text)")
            return
        }
        #expect(Set(file.keys).isSubset(of: known))
    }

    @Test("pods are of the class that their seed names, and of none where it names none")
    func priority() throws {
        let plain = try #require(try Samples.facts())
        #expect(pods(try controlPlane(plain)).allSatisfy { $0["priorityClassName"] == nil })
        var seed = try Samples.seed
        seed.priorityClassName = "first"
        let version = KubernetesVersion(minor: 20)
        let facts = ClusterFacts(try Samples.shoot(), images: plain.images, seed: seed, seedVersion: version)
        #expect(pods(try controlPlane(try #require(facts))).allSatisfy { $0["priorityClassName"] == "first" })
    }

    @Test("pods are where their seed's operator has them, and their images are pulled by what he names")
    func placement() throws {
        let plain = try #require(try Samples.facts())
        let fields = ["nodeSelector", "tolerations", "imagePullSecrets"]
        for pod in pods(try controlPlane(plain)) { #expect(fields.allSatisfy { pod[$0] == nil }) }
        var seed = try Samples.seed
        seed.placement = .init(
            nodeSelector: ["example.com/pool": "planes"],
            tolerations: [
                .init(key: "planes", operator: "Equal", value: "only", effect: "NoExecute", tolerationSeconds: 60),
                .init(operator: "Exists"),
            ]
        )
        seed.imagePullSecrets = ["registry"]
        let version = KubernetesVersion(minor: 20)
        let facts = ClusterFacts(try Samples.shoot(), images: plain.images, seed: seed, seedVersion: version)
        let all = pods(try controlPlane(try #require(facts)))
        #expect(all.count == 5)
        let first: JSONValue = [
            "key": "planes", "operator": "Equal", "value": "only", "effect": "NoExecute", "tolerationSeconds": 60,
        ]
        for pod in all {
            #expect(pod["nodeSelector"] == ["example.com/pool": "planes"])
            #expect(pod["tolerations"] == [first, ["operator": "Exists"]])
            #expect(pod["imagePullSecrets"] == [["name": "pull-registry"]])
        }
    }

    @Test("the two load balancers of a shoot are as their seed's operator says; nothing else is told so")
    func exposure() throws {
        let plain = try #require(try Samples.facts())
        func services(_ type: Seed.ExposureType) throws -> [JSONValue] {
            var seed = try Samples.seed
            seed.exposure.type = type
            seed.exposure.annotations = ["example.com/type": "nlb", "example.com/idle": "3600"]
            let version = KubernetesVersion(minor: 20)
            let facts = ClusterFacts(try Samples.shoot(), images: plain.images, seed: seed, seedVersion: version)
            return ControlPlane.services(try #require(facts))
        }
        let annotations = try services(.loadBalancer).map { $0["metadata"]?["annotations"] }
        let said: JSONValue = ["example.com/type": "nlb", "example.com/idle": "3600"]
        #expect(annotations == [nil, said, said])
        let ports = try services(.nodePort)
        #expect(ports == ControlPlane.services(plain))
    }

    @Test(
        "kube-apiserver puts on record what is wished, and never what is in a Secret",
        arguments: [nil, .nothing, .metadata, .request] as [Shoot.AuditLevel?]
    )
    func audit(level: Shoot.AuditLevel?) throws {
        let facts = try #require(try Samples.facts { $0.spec.controlPlane.audit = level })
        let objects = try ControlPlane.apiServer(facts, Samples.addresses, digests: [:])
        let command = list(list(pods(objects).first?["containers"]).first?["command"]).compactMap(\.text)
        let text = objects.compactMap { $0["data"]?["audit.json"]?.text }.first
        guard level == .metadata || level == .request else {
            #expect(text == nil && !command.contains { $0.hasPrefix("--audit") })
            return
        }
        #expect(command.contains("--audit-policy-file=/srv/configuration/audit.json"))
        #expect(command.contains("--audit-log-path=-"))
        let policy = try JSONDecoder().decode(JSONValue.self, from: Data(try #require(text).utf8))
        let rules = list(policy["rules"])
        #expect(rules.last == ["level": .string(level?.rawValue ?? "")])
        let secret = rules.first { list($0["resources"]).contains { list($0["resources"]).contains("secrets") } }
        #expect(secret?["level"] == "Metadata" && secret?["verbs"] == nil)
    }

    /// The command of each Kubernetes component, by its name.
    private func commands(_ facts: ClusterFacts) throws -> [String: [String]] {
        let containers = pods(try controlPlane(facts)).flatMap { list($0["containers"]) }
        return containers.reduce(into: [:]) { all, container in
            guard let name = container["name"]?.text, name.hasPrefix("kube-") else { return }
            all[name] = list(container["command"]).compactMap(\.text)
        }
    }

    @Test(
        "an owner's feature gates and admission plug-ins reach those whose they are, in every release",
        arguments: 20...36
    )
    func choices(_ minor: Int) throws {
        let plain = try commands(try #require(try Samples.facts { $0.spec.kubernetes.version = "1.\(minor).0" }))
        #expect(plain.count == 3)
        for command in plain.values { #expect(!command.contains { $0.hasPrefix("--feature-gates") }) }
        #expect(plain["kube-apiserver"]?.contains("--enable-admission-plugins=NodeRestriction") == true)
        let facts = try #require(
            try Samples.facts {
                $0.spec.kubernetes.version = "1.\(minor).0"
                $0.spec.controlPlane.featureGates = ["Second": false, "First": true]
                $0.spec.controlPlane.admissionPlugins = .init(
                    enable: ["PodNodeSelector", "NodeRestriction", "AlwaysPullImages"],
                    disable: ["Priority"]
                )
            }
        )
        let own = try commands(facts)
        for (name, command) in own {
            var expected = plain[name] ?? []
            if name == "kube-apiserver" {
                let index = try #require(expected.firstIndex(of: "--enable-admission-plugins=NodeRestriction"))
                expected[index] += ",AlwaysPullImages,PodNodeSelector"
                expected.append("--disable-admission-plugins=Priority")
            }
            expected.append("--feature-gates=First=true,Second=false")
            #expect(command.sorted() == expected.sorted())
        }
    }

    @Test(
        "an issuer is asked by the link, under prefixes; nothing of it reaches a release that would ask otherwise",
        arguments: 20...36
    )
    func identityProvider(_ minor: Int) throws {
        func facts(_ oidc: Shoot.OIDC?) throws -> ClusterFacts {
            try #require(
                try Samples.facts {
                    $0.spec.kubernetes.version = "1.\(minor).0"
                    $0.spec.controlPlane.oidc = oidc
                }
            )
        }
        var oidc = Shoot.OIDC(issuerURL: "https://Login.example.org:8443/a", clientID: "kubernetes")
        oidc.groupsClaim = "groups"
        oidc.requiredClaims = ["hd": "example.org"]
        oidc.additionalHosts = ["keys.example.org", "login.example.org:8443"]
        let (plain, own) = (try facts(nil), try facts(oidc))
        guard minor >= 34 else {
            #expect(try controlPlane(own) == controlPlane(plain))
            #expect(try node(own) == node(plain))
            return
        }
        let flag = "--authentication-config=/srv/configuration/authentication.json"
        #expect(try commands(own)["kube-apiserver"]?.last == flag)
        func file(_ name: String, _ facts: ClusterFacts) throws -> String? {
            try controlPlane(facts).compactMap { $0["data"]?[name]?.text }.first
        }
        #expect(try file("vpn.json", own) == file("vpn.json", plain))
        let text = try #require(try file("authentication.json", own))
        let document = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
        #expect(document["apiVersion"] == "apiserver.config.k8s.io/v1")
        let authenticator = try #require(document["jwt"]?.items.first)
        #expect(
            authenticator["issuer"] == [
                "url": "https://Login.example.org:8443/a", "audiences": ["kubernetes"], "egressSelectorType": "cluster",
            ]
        )
        #expect(
            authenticator["claimMappings"] == [
                "username": ["claim": "sub", "prefix": "oidc:"], "groups": ["claim": "groups", "prefix": "oidc:"],
            ]
        )
        #expect(authenticator["claimValidationRules"] == [["claim": "hd", "requiredValue": "example.org"]])
        // Both ends of the link name the same, and only where it is needed.
        let targets = ["keys.example.org:443", "login.example.org:8443"]
        let containers = pods(try controlPlane(own)).flatMap { list($0["containers"]) }
        let tunnel = containers.first { $0["name"] == "tendril-vpn" }
        let named = list(tunnel?["command"]).compactMap(\.text).filter { $0.hasPrefix("--outside-target=") }
        #expect(named == targets.map { "--outside-target=\($0)" })
        func client(_ facts: ClusterFacts) throws -> JSONValue {
            let file = try node(facts).spec.files?.first { $0.path.hasSuffix("/client.json") }
            let text = try #require(file?.content.inline)
            return try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
        }
        #expect(try client(own)["outsideTargets"] == .array(targets.map { .string($0) }))
        #expect(try client(plain)["outsideTargets"] == nil)
    }

    @Test("only those that sign see the key of an authority")
    func authorityKeys() throws {
        let facts = try #require(try Samples.facts())
        var holders: [String: Set<String>] = [:]
        for pod in pods(try controlPlane(facts)) {
            for container in list(pod["containers"]) {
                for mount in list(container["volumeMounts"]) {
                    guard let name = mount["name"]?.text, Authority(rawValue: name) != nil else { continue }
                    holders[name, default: []].insert(container["name"]?.text ?? "")
                }
            }
        }
        let manager: Set = ["kube-controller-manager"]
        #expect(holders == ["ca-client": manager, "ca-kubelet": manager, "ca-vpn": ["tendril-approver"]])
    }

    @Test("a container sees the Secrets that it is told of, in an order that stays: another one would make new pods")
    func mounts() throws {
        let facts = try #require(try Samples.facts())
        var seen: [String: [String]] = [:]
        for pod in pods(try controlPlane(facts)) {
            for container in list(pod["containers"]) {
                let secrets = list(container["volumeMounts"]).filter {
                    $0["mountPath"]?.text?.hasPrefix("/srv/tendril/") == true
                }
                seen[container["name"]?.text ?? ""] = secrets.compactMap { $0["name"]?.text }
            }
        }
        #expect(
            seen == [
                "etcd": ["etcd-server", "ca-etcd-bundle"],
                "kube-apiserver": [
                    "ca-client-bundle", "ca-kubelet-bundle", "ca-front-proxy-bundle", "ca-etcd-bundle", "etcd-client",
                    "kube-apiserver", "kube-apiserver-kubelet", "front-proxy", "service-account-key",
                    "etcd-encryption-key",
                ],
                "tendril-vpn": ["ca-vpn-bundle", "vpn-server", "vpn-gate-key", "vpn-nodes"],
                "kube-controller-manager": [
                    "kube-controller-manager", "ca-bundle", "ca-client", "ca-kubelet", "service-account-key",
                ],
                "kube-scheduler": ["kube-scheduler"],
                "tendril-approver": ["tendril-approver", "ca-vpn"],
            ]
        )
    }

    @Test("a new credential makes new pods of those that use it, and of no others")
    func rollsOnCredentials() throws {
        let facts = try #require(try Samples.facts())
        func sums(_ digests: [String: String]) -> [String?] {
            (ControlPlane.etcd(facts, digests: digests) + ControlPlane.controllers(facts, digests: digests)).map {
                $0["spec"]?["template"]?["metadata"]?["annotations"]?["tendril.dev/secrets"]?.text
            }
        }
        func areSame(with digests: [String: String]) -> [Bool] { zip(sums([:]), sums(digests)).map { $0 == $1 } }
        #expect(areSame(with: ["kube-scheduler": "new"]) == [true, true, false, true])
        // The only etcd does not end for a certificate that it reads by itself; for a CA it does, whatever else is new.
        #expect(areSame(with: ["etcd-server": "new"]) == [true, true, true, true])
        #expect(areSame(with: ["ca-etcd-bundle": "new"]) == [false, true, true, true])
        #expect(areSame(with: ["etcd-server": "new", "ca-etcd-bundle": "new"]) == [false, true, true, true])
    }

    @Test("a shoot that sleeps runs nothing; budgets are what the seed knows")
    func sleepsAndBudgets() throws {
        let asleep = try #require(try Samples.facts { $0.spec.hibernation.enabled = true })
        let replicas = try controlPlane(asleep).compactMap { $0["spec"]?["replicas"] }
        #expect(replicas.count == 5 && replicas.allSatisfy { $0 == 0 })
        for (minor, version) in [(20, "policy/v1beta1"), (21, "policy/v1"), (34, "policy/v1")] {
            let facts = try #require(try Samples.facts(KubernetesVersion(minor: minor)))
            let objects = try ControlPlane.apiServer(facts, Samples.addresses, digests: [:])
            #expect(objects.first { $0["kind"] == "PodDisruptionBudget" }?["apiVersion"] == .string(version))
        }
    }

    @Test("the configuration of every pool is one that agents take")
    func nodeConfiguration() throws {
        let facts = try #require(
            try Samples.facts {
                $0.spec.workers[0].labels = ["a": "b"]
                // The second was accepted by earlier releases.
                $0.spec.workers[0].taints = ["v", "w"].map { .init(key: "k", value: $0, effect: "NoSchedule") }
                $0.spec.workers[0].kubelet = .init(
                    maxPods: 50,
                    featureGates: ["First": true, "Second": true],
                    configuration: ["podPidsLimit": 100, "featureGates": ["Second": false]]
                )
            }
        )
        let configuration = try node(facts)
        #expect(NodeConfigurationRules.problems(configuration) == [])
        #expect(configuration.spec.kubelet?.taints == [.init(key: "k", value: "v", effect: "NoSchedule")])
        #expect(configuration.spec.kubelet?.configuration?["maxPods"] == 50)
        #expect(configuration.spec.kubelet?.configuration?["featureGates"] == ["First": true, "Second": false])
        #expect(configuration.spec.kubelet?.configuration?["clusterDNS"] == ["100.64.0.10"])
        #expect(configuration.spec.kubelet?.labels?["tendril.dev/pool"] == "worker")
    }

    @Test("a node's link waits for open streams longer than by itself, and systemd and the agent wait for that")
    func nodesDrain() throws {
        let configuration = try node(try #require(try Samples.facts()))
        let unit = configuration.spec.units?.first { $0.name == "tendril-vpn.service" }?.content
        let text = try #require(unit)
        let drain = text.firstMatch(of: #/ExecStart=.* --drain-seconds=([0-9]+)\n/#).flatMap { Int($0.1) }
        let seconds = try #require(drain)
        // systemctl is given 90 s, and the program says itself that it needs more than its unit says.
        #expect(seconds > 5 && seconds < 60)
    }

    private var trust: NodeTrust {
        var trust = NodeTrust()
        trust.tunnelAuthority = "-----BEGIN CERTIFICATE-----\n"
        trust.clusterAuthority = "-----BEGIN CERTIFICATE-----\n"
        trust.configurationKeys = [Data(repeating: 7, count: 32).base64EncodedString()]
        trust.issuers = .init(agent: "0a", kubelet: "0b", kubeletServing: "0c")
        return trust
    }

    private func node(_ facts: ClusterFacts) throws -> NodeConfiguration {
        try NodeRendering.configuration(
            facts,
            pool: facts.spec.workers[0],
            image: MachineImage(name: "default", program: .init(baked: true)),
            addresses: Samples.addresses,
            trust: trust,
            generation: 1
        )
    }

    /// What tenants may try to break out with.
    static let hostile = [
        "${jndi:x}", "{{.PodCIDR}}", "{{ .Values }}", "%{for x in y}", "$(reboot)", "`id`", "\"; id; \"", "'", "\\",
        "\n- x: y",
        "a\r\nb", "\u{0}", "\u{202E}abc", "!!python/object:x", "&a *a", "<<: *a", "]]>", "--flag", "%s%n", "\u{2028}",
        "😈",
    ]

    @Test("hostile texts of a tenant stay inside the one value that they are", arguments: hostile)
    func hostileTexts(_ text: String) throws {
        func facts(_ text: String) throws -> ClusterFacts {
            try #require(
                try Samples.facts {
                    $0.spec.workers[0].labels = ["a": text]
                    $0.spec.workers[0].taints = [.init(key: "k", value: text, effect: "NoSchedule")]
                    $0.spec.workers[0].kubelet = .init(configuration: ["registerNode": .string(text)])
                    $0.spec.workers[0].machineType = text
                }
            )
        }
        func shape(_ text: String) throws -> JSONValue {
            var node = try node(try facts(text))
            // Made of the type of machine, and one word whatever that is.
            #expect(node.spec.machineClass?.wholeMatch(of: /default\/[A-Za-z0-9._~%-]+/) != nil)
            node.spec.machineClass = nil
            let document = try CanonicalJSON.bytes(node)
            return Self.replaced(try JSONDecoder().decode(JSONValue.self, from: Data(document)), text)
        }
        #expect(try shape(text) == shape("harmless"))
        // It reaches nothing in the seed.
        let objects = String(decoding: try CanonicalJSON.bytes(try controlPlane(try facts("canary"))), as: UTF8.self)
        #expect(!objects.contains("canary"))
    }

    /// The same document with a marker where the text stands by itself; `inside` looks into documents within it, too.
    static func replaced(_ value: JSONValue, _ text: String, inside: Bool = false) -> JSONValue {
        switch value {
        case .string(text): "<text>"
        case .string(let own) where inside && own.hasPrefix("{"):
            (try? JSONDecoder().decode(JSONValue.self, from: Data(own.utf8)))
                .map { replaced($0, text, inside: true) } ?? value
        case .array(let items): .array(items.map { replaced($0, text, inside: inside) })
        case .object(let fields): .object(fields.mapValues { replaced($0, text, inside: inside) })
        default: value
        }
    }

    @Test("certificates name every address by which they are reached")
    func certificates() throws {
        let facts = try #require(try Samples.facts())
        let leaves = CredentialPlan.leaves(facts, Samples.addresses)
        let server = try #require(leaves.first { $0.name == "kube-apiserver" })
        #expect(
            Set(server.addresses.map(\.description)) == [
                "127.0.0.1", "10.97.0.6", "192.0.2.100", "100.64.0.1", "198.51.100.1",
            ]
        )
        #expect(Set(leaves.map(\.name)).count == leaves.count)
        #expect(leaves.allSatisfy { $0.isServer || $0.isClient })
    }
}
