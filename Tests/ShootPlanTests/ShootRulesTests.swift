import ClusterModel
import NodePlan
import ShootPlan
import ShootSamples
import TendrilCore
import Testing

@Suite("Shoot rules")
struct ShootRulesTests {
    @Test("a shoot with nothing but its pool's name and a version has no problems")
    func minimal() throws {
        #expect(
            ShootRules.problems(
                try Samples.shoot(),
                seed: try Samples.seed,
                images: [MachineImage(name: "default", program: .init(baked: true))]
            ) == []
        )
    }

    /// A change that is refused, and the field that is named.
    struct Case: Sendable, CustomTestStringConvertible {
        let path: String
        let text: String
        let change: @Sendable (inout Shoot) -> Void

        init(_ path: String, _ text: String, _ change: @escaping @Sendable (inout Shoot) -> Void) {
            (self.path, self.text, self.change) = (path, text, change)
        }

        var testDescription: String { "\(path): \(text)" }
    }

    static let cases: [Case] = [
        Case("metadata.name", "two hyphens in a row") { $0.metadata.name = "a--b" },
        Case("metadata.name", "no label") { $0.metadata.name = "A" },
        Case("metadata.name", "no label") { $0.metadata.name = "-a" },
        Case("metadata.namespace", "no label") { $0.metadata.namespace = "a_b" },
        Case("metadata.name", "longer than") { $0.metadata.name = String(repeating: "a", count: 28) },
        Case("spec.kubernetes.version", "no release") { $0.spec.kubernetes.version = "1.19.9" },
        Case("spec.kubernetes.version", "no release") { $0.spec.kubernetes.version = "1.99.0" },
        Case("spec.kubernetes.version", "no release") { $0.spec.kubernetes.version = "latest" },
        Case("spec.networking.pods", "no network") { $0.spec.networking.pods = "10.0.0.1/16" },
        Case("spec.networking.pods", "no network") { $0.spec.networking.pods = "10.0.0.0/16; rm" },
        Case("spec.networking.pods", "smaller than") { $0.spec.networking.pods = "10.9.0.0/25" },
        Case("spec.networking.pods", "larger than") { $0.spec.networking.pods = "64.0.0.0/4" },
        Case("spec.networking.services", "larger than") { $0.spec.networking.services = "11.0.0.0/8" },
        Case("spec.networking.pods", "no network of IPv4") { $0.spec.networking.pods = "fd00::/56" },
        Case("spec.networking.services", "no network of IPv4") { $0.spec.networking.services = "fd01::/112" },
        Case("spec.networking.pods", "room for 2 nodes") {
            $0.spec.networking.pods = "10.8.0.0/23"
            $0.spec.workers[0].maximum = 3
        },
        Case("spec.networking.services", "overlaps spec.networking.pods") {
            $0.spec.networking.services = "100.96.0.0/16"
        },
        Case("spec.networking.nodes", "overlaps spec.networking.services") {
            $0.spec.networking.nodes = "100.64.0.0/16"
        },
        Case("spec.networking.nodes", "link-local") { $0.spec.networking.nodes = "169.254.0.0/20" },
        Case("spec.networking.nodes", "loopback") { $0.spec.networking.nodes = "127.1.0.0/16" },
        Case("spec.networking.pods", "this network") { $0.spec.networking.pods = "0.1.0.0/16" },
        Case("spec.networking.pods", "multicast") { $0.spec.networking.pods = "224.1.0.0/16" },
        Case("spec.networking.pods", "which is reserved") { $0.spec.networking.pods = "250.0.0.0/16" },
        Case("spec.networking.nodes", "the seed's nodes") {
            $0.spec.provider.type = .aws
            $0.spec.networking.nodes = "10.3.0.0/20"
        },
        Case("spec.networking.services", "node-local address") { $0.spec.networking.services = "192.0.2.0/24" },
        Case("spec.networking.pods", "the seed's pods") { $0.spec.networking.pods = "10.240.0.0/12" },
        Case("spec.networking.services", "the seed's services") { $0.spec.networking.services = "10.97.0.0/20" },
        Case("spec.workers", "is empty") { $0.spec.workers = [] },
        Case("spec.workers[0].name", "no label") { $0.spec.workers[0].name = "a b" },
        Case("spec.workers[0].name", "at most 15") { $0.spec.workers[0].name = "abcdefghijklmnop" },
        Case("spec.workers[1].name", "twice") { $0.spec.workers.append($0.spec.workers[0]) },
        Case("spec.workers[0].minimum", "more than the maximum") { $0.spec.workers[0].minimum = 2 },
        Case("spec.workers[0].minimum", "negative") { $0.spec.workers[0].minimum = -1 },
        Case("spec.workers[0].machineType", "missing") { $0.spec.provider.type = .aws },
        Case("spec.workers[0].image", "no ami") { $0.spec.provider.type = .aws },
        Case("spec.workers[0].image", "not known") { $0.spec.workers[0].image = "other" },
        Case("spec.workers[0].labels[a b]", "no label's key") { $0.spec.workers[0].labels = ["a b": "c"] },
        Case("spec.workers[0].labels[a]", "no label's value") { $0.spec.workers[0].labels = ["a": "b c"] },
        Case("spec.workers[0].labels[node-role.kubernetes.io/master]", "by Kubernetes") {
            $0.spec.workers[0].labels = ["node-role.kubernetes.io/master": ""]
        },
        Case("spec.workers[0].labels[tendril.dev/pool]", "by us") {
            $0.spec.workers[0].labels = ["tendril.dev/pool": "x"]
        },
        Case("spec.workers[0].taints[0].effect", "none of") {
            $0.spec.workers[0].taints = [.init(key: "a", effect: "Sometimes")]
        },
        Case("spec.workers[0].taints[0].key", "no taint's key") {
            $0.spec.workers[0].taints = [.init(key: "a=b", effect: "NoSchedule")]
        },
        Case("spec.workers[0].kubelet.maxPods", "1 to 250") { $0.spec.workers[0].kubelet = .init(maxPods: 0) },
        Case("spec.workers[0].kubelet.configuration", "no mapping") {
            $0.spec.workers[0].kubelet = .init(configuration: "x")
        },
        Case("spec.workers[0].taints[0].value", "no taint's value") {
            $0.spec.workers[0].taints = [.init(key: "a", value: "b c", effect: "NoSchedule")]
        },
        Case("spec.workers[0].taints[2]", "a:NoSchedule is there twice") {
            $0.spec.workers[0].taints = [
                .init(key: "a", value: "b", effect: "NoSchedule"), .init(key: "a", effect: "NoExecute"),
                .init(key: "a", value: "c", effect: "NoSchedule"),
            ]
        },
        Case("spec.networking.services", "smaller than") { $0.spec.networking.services = "10.9.0.0/27" },
        Case("spec.networking.nodes", "smaller than") { $0.spec.networking.nodes = "10.9.0.0/29" },
        Case("spec", "more than 256 KiB") {
            $0.spec.workers[0].kubelet = .init(configuration: ["x": .string(String(repeating: "y", count: 300_000))])
        },
        Case("spec.controlPlane.replicas", "1 to 5") { $0.spec.controlPlane.replicas = 0 },
        Case("spec.vpn.lanes", "1 to 16") { $0.spec.vpn.lanes = 17 },
        Case("spec.controlPlane.featureGates[a=true,B]", "no gate's name") {
            $0.spec.controlPlane.featureGates = ["a=true,B": true]
        },
        Case("spec.controlPlane.featureGates[A]", "no gate's name") { $0.spec.controlPlane.featureGates = ["A": true] },
        Case("spec.controlPlane.featureGates[AllBeta]", "nobody names") {
            $0.spec.controlPlane.featureGates = ["AllBeta": false]
        },
        Case("spec.controlPlane.featureGates[AuthorizeNodeWithSelectors]", "from reading what is another's") {
            $0.spec.controlPlane.featureGates = ["AuthorizeNodeWithSelectors": false]
        },
        Case("spec.controlPlane.featureGates[ServerSideApply]", "not to be set") {
            $0.spec.controlPlane.featureGates = ["ServerSideApply": true]
        },
        Case("spec.controlPlane.featureGates", "more than 64 gates") {
            let names = (0..<65).map { ("Gate\($0)", true) }
            $0.spec.controlPlane.featureGates = Dictionary(uniqueKeysWithValues: names)
        },
        Case("spec.workers[0].kubelet.featureGates[DynamicKubeletConfig]", "signed configuration") {
            $0.spec.workers[0].kubelet = .init(featureGates: ["DynamicKubeletConfig": true])
        },
        Case("spec.workers[0].kubelet.configuration.featureGates[RotateKubeletServerCertificate]", "certificates by") {
            $0.spec.workers[0].kubelet = .init(
                configuration: ["featureGates": ["RotateKubeletServerCertificate": false]]
            )
        },
        Case("spec.controlPlane.admissionPlugins.disable[1]", "not its own") {
            $0.spec.controlPlane.admissionPlugins = .init(disable: ["Priority", "NodeRestriction"])
        },
        Case("spec.controlPlane.admissionPlugins.disable[0]", "system:masters") {
            $0.spec.controlPlane.admissionPlugins = .init(disable: ["CertificateSubjectRestriction"])
        },
        Case("spec.controlPlane.admissionPlugins.disable[0]", "volumes from coming anew") {
            $0.spec.controlPlane.admissionPlugins = .init(disable: ["ResourceQuota"])
        },
        Case("spec.controlPlane.admissionPlugins.disable[0]", "in enable, too") {
            $0.spec.controlPlane.admissionPlugins = .init(enable: ["Priority"], disable: ["Priority"])
        },
        Case("spec.controlPlane.admissionPlugins.enable[0]", "no plug-in's name") {
            $0.spec.controlPlane.admissionPlugins = .init(enable: ["A,B"])
        },
        Case("spec.controlPlane.admissionPlugins.enable[1]", "twice") {
            $0.spec.controlPlane.admissionPlugins = .init(enable: ["AlwaysPullImages", "AlwaysPullImages"])
        },
        Case("spec.controlPlane.admissionPlugins.enable[0]", "1.25") {
            $0.spec.controlPlane.admissionPlugins = .init(enable: ["PodSecurityPolicy"])
        },
        Case("spec.controlPlane.admissionPlugins.enable", "more than 32 plug-ins") {
            $0.spec.controlPlane.admissionPlugins = .init(enable: (0..<33).map { "Plugin\($0)" })
        },
    ]

    @Test("refuses what does not fit, and names the field", arguments: cases)
    func refuses(_ example: Case) throws {
        let problems = ShootRules.problems(
            try Samples.shoot(example.change),
            seed: try Samples.seed,
            images: [MachineImage(name: "default", program: .init(baked: true))]
        )
        #expect(problems.contains { $0.path == example.path && $0.reason.contains(example.text) }, "\(problems)")
    }

    @Test(
        "refuses changes of what cannot change",
        arguments: [
            Case("spec.provider.type", "cannot be changed") { $0.spec.provider.type = .aws },
            Case("spec.networking.pods", "cannot be changed") { $0.spec.networking.pods = "10.0.0.0/16" },
            Case("spec.networking.services", "cannot be changed") { $0.spec.networking.services = "10.0.0.0/16" },
            Case("spec.networking.nodes", "cannot be changed") { $0.spec.networking.nodes = "10.0.0.0/16" },
            Case("spec.networking.type", "cannot be changed") { $0.spec.networking.type = .none },
            Case("spec.networking.type", "cannot be changed") { $0.spec.networking.type = .overlay },
            Case("spec.kubernetes.version", "older") { $0.spec.kubernetes.version = "1.20.1" },
            Case("spec.kubernetes.version", "skips a minor") { $0.spec.kubernetes.version = "1.22.0" },
        ]
    )
    func refusesChanges(_ example: Case) throws {
        let problems = ShootRules.problems(
            changing: try Samples.shoot().spec,
            to: try Samples.shoot(example.change).spec
        )
        #expect(problems.contains { $0.path == example.path && $0.reason.contains(example.text) }, "\(problems)")
    }

    /// An identity provider without problems, but for what is changed, of a shoot whose release takes one.
    private func problems(
        _ version: String = "1.34.0",
        _ change: (inout Shoot.OIDC) -> Void
    ) throws -> [ConfigurationProblem] {
        var oidc = Shoot.OIDC(issuerURL: "https://login.example.org/realms/a", clientID: "kubernetes")
        change(&oidc)
        return ShootRules.problems(
            try Samples.shoot {
                $0.spec.kubernetes.version = version
                $0.spec.controlPlane.oidc = oidc
            }
        )
    }

    private static let certificate = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"

    @Test("an identity provider is one that the link leads to, in a release that takes that way")
    func identityProvider() throws {
        #expect(try problems { _ in } == [])
        #expect(
            try problems {
                ($0.usernameClaim, $0.usernamePrefix, $0.groupsPrefix) = ("email", "https://login.example.org#", "g/")
                ($0.groupsClaim, $0.requiredClaims) = ("groups", ["hd": "example.org"])
                $0.certificateAuthority = Self.certificate + "\n" + Self.certificate
                $0.additionalHosts = ["www.example.org", "keys.example.org:8443"]
            } == []
        )
        for version in ["1.20.2", "1.33.9"] {
            let found = try problems(version) { _ in }
            #expect(found.map(\.path) == ["spec.controlPlane.oidc"])
            #expect(found.first?.reason.contains("1.34") == true)
        }
    }

    @Test(
        "an issuer that kube-apiserver, or the link, would not take is refused",
        arguments: [
            "http://login.example.org", "https://", "https:///a", "https://login.example.org?x", "login.example.org",
            "https://login.example.org/#a", "https://me@login.example.org", "https://192.0.2.7/a", "https://[::1]/a",
            "https://2130706433/", "https://0x7f.1/", "https://login.example.org:0", "https://login.example.org:x",
            "https://login.example.org/%zz", "https://login.example.org/a b", "https://lögin.example.org", "",
            "https://kubernetes.default.svc", "https://a_b.example.org",
        ]
    )
    func refusesIssuer(_ text: String) throws {
        #expect(try problems { $0.issuerURL = text }.map(\.path) == ["spec.controlPlane.oidc.issuerURL"])
    }

    @Test(
        "no prefix lets a provider's people become anybody of Kubernetes' or ours",
        arguments: [
            "", "-", "s", "sys", "system", "system:", "system:serviceaccount:a:", "t", "tendril", "tendril:agent:",
            "a b", "a\n", String(repeating: "a", count: 65),
        ]
    )
    func refusesPrefix(_ text: String) throws {
        #expect(try problems { $0.usernamePrefix = text }.map(\.path) == ["spec.controlPlane.oidc.usernamePrefix"])
        #expect(try problems { $0.groupsPrefix = text }.map(\.path) == ["spec.controlPlane.oidc.groupsPrefix"])
    }

    @Test("what else is said of an identity provider is bounded, and names its field")
    func refusesIdentityFields() throws {
        let path = "spec.controlPlane.oidc"
        #expect(try problems { $0.clientID = "" }.map(\.path) == ["\(path).clientID"])
        #expect(try problems { $0.usernameClaim = "a b" }.map(\.path) == ["\(path).usernameClaim"])
        #expect(try problems { $0.groupsClaim = "" }.map(\.path) == ["\(path).groupsClaim"])
        #expect(try problems { $0.requiredClaims = ["a": ""] }.map(\.path) == ["\(path).requiredClaims[a]"])
        #expect(try problems { $0.requiredClaims = ["a b": "c"] }.map(\.path) == ["\(path).requiredClaims[a b]"])
        let many = (0..<17).map { ("c\($0)", "x") }
        let claims = Dictionary(uniqueKeysWithValues: many)
        #expect(try problems { $0.requiredClaims = claims }.map(\.path) == ["\(path).requiredClaims"])
        let mixed = ["a.b", "10.0.0.1"]
        #expect(try problems { $0.additionalHosts = mixed }.map(\.path) == ["\(path).additionalHosts[1]"])
        let hosts = (0..<9).map { "h\($0).example.org" }
        #expect(try problems { $0.additionalHosts = hosts }.map(\.path) == ["\(path).additionalHosts"])
        let open = "-----BEGIN CERTIFICATE-----\nMAA=\n"
        let broken = Self.certificate.replacing("MAA=", with: "!")
        for text in ["", "x", open, Self.certificate + "x", broken, open + open] {
            let found = try problems { $0.certificateAuthority = text }
            #expect(found.map(\.path) == ["\(path).certificateAuthority"], "\(text)")
        }
    }

    @Test("takes gates and plug-ins that are the owner's business")
    func takesChoices() throws {
        let shoot = try Samples.shoot {
            $0.spec.controlPlane.featureGates = ["InPlacePodVerticalScaling": true, "JobManagedBy": false]
            $0.spec.controlPlane.admissionPlugins = .init(enable: ["AlwaysPullImages"], disable: ["Priority"])
            $0.spec.workers[0].kubelet = .init(
                featureGates: ["MemoryQoS": true],
                configuration: ["featureGates": ["NodeSwap": true]]
            )
        }
        #expect(ShootRules.problems(shoot) == [])
    }

    @Test("allows a patch, the next minor release, and a seed that was chosen")
    func allowsChanges() throws {
        let before = try Samples.shoot().spec
        for version in ["1.20.3", "1.21.0", "1.20.2"] {
            let after = try Samples.shoot { $0.spec.kubernetes.version = version }.spec
            #expect(ShootRules.problems(changing: before, to: after) == [])
        }
        #expect(ShootRules.problems(changing: before, to: try Samples.shoot { $0.spec.seedName = "here" }.spec) == [])
    }

    @Test("the next minor release waits until everything runs the last one; patches and going on do not")
    func unfinishedUpgrade() throws {
        func problems(_ version: String, from accepted: String, finished: String?) throws -> [ConfigurationProblem] {
            ShootRules.problems(
                changing: try Samples.shoot { $0.spec.kubernetes.version = accepted }.spec,
                to: try Samples.shoot { $0.spec.kubernetes.version = version }.spec,
                finished: finished
            )
        }
        let held = try problems("1.22.0", from: "1.21.3", finished: "1.20.2")
        #expect(held.map(\.reason) == ["1.22.0 skips a minor release: 1.20.2 runs"])
        #expect(try problems("1.21.4", from: "1.21.3", finished: "1.20.2") == [])
        #expect(try problems("1.22.0", from: "1.21.3", finished: "1.21.3") == [])
        #expect(try problems("1.22.0", from: "1.21.3", finished: nil) == [])
        // A downgrade is told once.
        #expect(try problems("1.20.0", from: "1.21.3", finished: "1.20.2").count == 1)
    }

    @Test("seed and region stay as they were chosen, and no other seed takes a shoot over")
    func staysWhereItIs() throws {
        let before = try Samples.shoot { ($0.spec.seedName, $0.spec.region) = ("here", "eu") }.spec
        let after = try Samples.shoot { ($0.spec.seedName, $0.spec.region) = ("there", "us") }.spec
        #expect(ShootRules.problems(changing: before, to: after).map(\.path) == ["spec.seedName", "spec.region"])
        #expect(ShootRules.problems(hostedBy: "here", movedTo: "there").map(\.path) == ["spec.seedName"])
        #expect(ShootRules.problems(hostedBy: "here", movedTo: "here") == [])
        #expect(ShootRules.problems(hostedBy: nil, movedTo: "here") == [])
    }

    @Test("no two shoots have the same technical ID")
    func namesAreInjective() {
        let parts = ["a", "b", "a-b", "b-a", "a-b-a", "ab", "a1", "shoot", "shoot-a"]
        var seen: [String: (String, String)] = [:]
        for project in parts {
            for name in parts {
                guard let id = TechnicalID(project: project, name: name) else { continue }
                #expect(seen.updateValue((project, name), forKey: id.description) == nil)
            }
        }
        #expect(seen.count == parts.count * parts.count)
        #expect(TechnicalID(project: "a--b", name: "c") == nil && TechnicalID(project: "a-", name: "c") == nil)
    }

    @Test("a machine image that does not carry the release is refused; so is a seed whose networks cannot be read")
    func imagesAndSeeds() throws {
        var image = MachineImage(name: "default", program: .init(baked: true))
        image.kubernetes = ["1.20.2", "1.21.0"]
        #expect(ShootRules.problems(try Samples.shoot(), images: [image]) == [])
        let newer = try Samples.shoot { $0.spec.kubernetes.version = "1.22.0" }
        #expect(ShootRules.problems(newer, images: [image]).map(\.path) == ["spec.workers[0].image"])
        var seed = try Samples.seed
        seed.networks.pods = "10.245.0.0/15"
        #expect(ShootRules.problems(try Samples.shoot(), seed: seed).map(\.path) == ["spec.seedName"])
    }

    @Test("A machine image without an AMI is for local machines only")
    func images() throws {
        var image = MachineImage(name: "default", program: .init(baked: true))
        func isRefused(_ type: Shoot.ProviderType) throws -> Bool {
            ShootRules.problems(try Samples.shoot { $0.spec.provider.type = type }, images: [image])
                .contains { $0.path == "spec.workers[0].image" }
        }
        #expect(try isRefused(.aws) && !isRefused(.local))
        image.ami = "ami-0123456789abcdef0"
        #expect(try !isRefused(.aws))
    }

    @Test("A node gets no more pods than it has addresses, but where somebody else gives them")
    func pods() throws {
        func paths(_ most: Int, _ type: Shoot.NetworkType, isField: Bool) throws -> [String] {
            ShootRules.problems(
                try Samples.shoot {
                    $0.spec.networking.type = type
                    $0.spec.workers[0].kubelet =
                        isField ? .init(maxPods: most) : .init(configuration: ["maxPods": .integer(most)])
                }
            ).map(\.path)
        }
        #expect(try paths(250, .overlay, isField: true) == [] && paths(1000, .none, isField: true) == [])
        #expect(try paths(251, .routed, isField: true) == ["spec.workers[0].kubelet.maxPods"])
        #expect(try paths(251, .overlay, isField: false) == ["spec.workers[0].kubelet.configuration.maxPods"])
    }

    @Test(
        "A rule that became stricter is not held against what was accepted, and is one for what is changed",
        arguments: [(500, 500, 0), (500, 600, 1), (500, 250, 0), (100, 500, 1), (nil, 500, 1)] as [(Int?, Int, Int)]
    )
    func stricter(_ accepted: Int?, _ wanted: Int, _ count: Int) throws {
        for isField in [true, false] {
            func shoot(_ most: Int) throws -> Shoot {
                try Samples.shoot {
                    $0.spec.workers[0].kubelet =
                        isField ? .init(maxPods: most) : .init(configuration: ["maxPods": .integer(most)])
                    // Something else is changed, too.
                    $0.spec.hibernation.enabled = most == wanted
                }
            }
            let new = try shoot(wanted)
            let problems = ShootRules.new(ShootRules.problems(new), of: new, since: try accepted.map(shoot))
            #expect(problems.count == count)
        }
    }

    @Test("A value that is refused is forgiven where it was accepted, and no other one in its place")
    func forgiven() throws {
        func problems(_ new: Shoot, since old: Shoot) -> [String] {
            ShootRules.new(ShootRules.problems(new), of: new, since: old).map(\.path)
        }
        func gates(_ gates: [String: Bool]) throws -> Shoot {
            try Samples.shoot { $0.spec.workers[0].kubelet = .init(featureGates: gates) }
        }
        let old = try gates(["AllBeta": false])
        #expect(problems(try gates(["AllBeta": false, "MemoryQoS": true]), since: old) == [])
        let field = "spec.workers[0].kubelet.featureGates"
        #expect(problems(try gates(["AllBeta": true]), since: old) == ["\(field)[AllBeta]"])
        #expect(problems(try gates(["AllBeta": false, "AllAlpha": false]), since: old) == ["\(field)[AllAlpha]"])
        func plugins(_ names: [String]) throws -> Shoot {
            try Samples.shoot { $0.spec.controlPlane.admissionPlugins = .init(enable: names, disable: nil) }
        }
        let listed = try plugins(["EventRateLimit"])
        #expect(problems(try plugins(["EventRateLimit", "PodNodeSelector"]), since: listed) == [])
        let other = "spec.controlPlane.admissionPlugins.enable[0]"
        #expect(problems(try plugins(["ImagePolicyWebhook"]), since: listed) == [other])
    }

    @Test("Pools are judged beside themselves, wherever they stand")
    func forgivenPools() throws {
        func shoot(_ pools: [(name: String, pods: Int)]) throws -> Shoot {
            try Samples.shoot { shoot in
                let worker = shoot.spec.workers[0]
                shoot.spec.workers = pools.map { pool in
                    var made = worker
                    (made.name, made.kubelet) = (pool.name, .init(maxPods: pool.pods))
                    return made
                }
            }
        }
        func problems(_ new: [(name: String, pods: Int)], since old: [(name: String, pods: Int)]) throws -> [String] {
            let wanted = try shoot(new)
            return ShootRules.new(ShootRules.problems(wanted), of: wanted, since: try shoot(old)).map(\.path)
        }
        #expect(try problems([("b", 100), ("a", 500)], since: [("a", 500), ("b", 100)]) == [])
        #expect(try problems([("b", 500)], since: [("a", 500)]) == ["spec.workers[0].kubelet.maxPods"])
        let moved = try problems([("a", 100), ("b", 500)], since: [("a", 500), ("b", 100)])
        #expect(moved == ["spec.workers[1].kubelet.maxPods"])
    }

    @Test("What a provider does not know is refused wherever a Shoot is judged")
    func provider() throws {
        let local = try Samples.shoot { $0.spec.provider.infrastructure = ["zones": ["a"]] }
        #expect(ShootRules.problems(local).map(\.path) == ["spec.provider.infrastructure"])
        let aws = try Samples.shoot { $0.spec.provider.type = .aws }
        #expect(Set(ShootRules.problems(aws).map(\.path)).isSuperset(of: ["spec.provider.infrastructure"]))
    }
}

@Suite("Rules of seeds")
struct SeedRulesTests {
    typealias Toleration = Seed.Toleration

    private func paths(_ change: (inout Seed.Spec) -> Void) throws -> [String] {
        SeedRules.problems(try Samples.seed("here") { change(&$0.spec) }).map(\.path)
    }

    @Test("Networks are networks, Services are apart from pods and machines, and node ports have an address")
    func refuses() throws {
        #expect(try paths { _ in } == [])
        #expect(try paths { $0.networks.pods = "nonsense" } == ["spec.networks.pods"])
        #expect(try paths { $0.networks.nodes = "nonsense" } == ["spec.networks.nodes"])
        // Pods may have addresses of the machines' network.
        #expect(try paths { $0.networks.nodes = $0.networks.pods } == [])
        #expect(try paths { $0.networks.pods = "10.3.128.0/17" } == [])
        #expect(try paths { $0.networks.services = $0.networks.pods } == ["spec.networks.services"])
        #expect(try paths { $0.networks.nodes = $0.networks.services } == ["spec.networks.nodes"])
        #expect(try paths { $0.exposure.address = nil } == ["spec.exposure.address"])
        #expect(try paths { $0.exposure.annotations = ["example.com/a_b": "c d"] } == [])
        #expect(try paths { $0.exposure.annotations = ["a b": "c"] } == ["spec.exposure.annotations[a b]"])
        #expect(
            try paths {
                $0.exposure.address = nil
                $0.exposure.type = .loadBalancer
            } == []
        )
    }

    @Test(
        "Tolerations are those that Kubernetes takes",
        arguments: [
            (Toleration(key: "a b", operator: "Exists"), "key"), (Toleration(key: "", operator: "Exists"), "key"),
            (Toleration(key: "a", operator: "In"), "operator"), (Toleration(), "operator"),
            (Toleration(value: "b"), "operator"), (Toleration(key: "a", operator: "Exists", value: "b"), "value"),
            (Toleration(key: "a", value: "b c"), "value"), (Toleration(key: "a", effect: "Sometimes"), "effect"),
            (Toleration(key: "a", effect: "NoSchedule", tolerationSeconds: 1), "tolerationSeconds"),
            (Toleration(key: "a", effect: "NoExecute", tolerationSeconds: -1), "tolerationSeconds"),
            (Toleration(operator: "Exists"), nil),
            (Toleration(key: "example.com/a", value: "b", effect: "NoSchedule"), nil),
            (Toleration(key: "a", operator: "Exists", effect: "NoExecute", tolerationSeconds: 0), nil),
        ] as [(Toleration, String?)]
    )
    func tolerations(_ toleration: Toleration, _ field: String?) throws {
        let expected = field.map { ["spec.placement.tolerations[1].\($0)"] } ?? []
        let found = try paths { $0.placement = .init(tolerations: [.init(operator: "Exists"), toleration]) }
        #expect(found == expected)
    }

    @Test("Nodes are chosen by labels, and images pulled by Secrets, each named once")
    func placement() throws {
        func selector(_ labels: [String: String]) throws -> [String] {
            try paths { $0.placement = .init(nodeSelector: labels) }
        }
        #expect(try selector(["example.com/pool": "planes", "b": ""]) == [])
        #expect(try selector(["a b": "c"]) == ["spec.placement.nodeSelector[a b]"])
        #expect(try selector(["a": "b c"]) == ["spec.placement.nodeSelector[a]"])
        #expect(try paths { $0.imagePullSecrets = ["registry", "other.one"] } == [])
        #expect(try paths { $0.imagePullSecrets = ["a", "a"] } == ["spec.imagePullSecrets[1]"])
        for name in ["", "A", "../a", "a_b", String(repeating: "a.", count: 124) + "b"] {
            #expect(try paths { $0.imagePullSecrets = [name] } == ["spec.imagePullSecrets[0]"], "\(name)")
        }
    }

    @Test("Snapshots go to a store that is named in full, at times that a CronJob can say")
    func snapshots() throws {
        func paths(_ change: (inout Seed.Snapshots) -> Void) throws -> [String] {
            var snapshots = Samples.snapshots
            change(&snapshots)
            return try self.paths { $0.snapshots = snapshots }
                .map { String($0.dropFirst("spec.snapshots.".count)) }
        }
        #expect(try paths { _ in } == [])
        #expect(try paths { $0.intervalMinutes = 45 } == ["intervalMinutes"])
        #expect(try paths { ($0.keep, $0.intervalMinutes) = (0, 0) } == ["intervalMinutes", "keep"])
        #expect(try paths { $0.keep = 1001 } == ["keep"])
        for endpoint in ["https://store", "https://store:9000", "https://192.0.2.1", "https://[2001:db8::1]:443"] {
            #expect(try paths { $0.endpoint = endpoint } == [], "\(endpoint)")
        }
        for endpoint in [
            "http://store", "store", "https://", "https://store/", "https://store/x", "https://a@store",
            "https://store:0", "https://store:x", "https://a b", "https://store?x",
        ] {
            #expect(try paths { $0.endpoint = endpoint } == ["endpoint"], "\(endpoint)")
        }
        for prefix in ["/a", "a/", "a//b", "..", "a/../b", "a b", "a%2F", "", "ä", "-a", "--keys/a"] {
            #expect(try paths { $0.prefix = prefix } == ["prefix"], "\(prefix)")
        }
        #expect(try paths { $0.prefix = "tendril/eu1" } == [])
        for name in ["", "ab", "A-bucket", "a/b", ".ab", "a..b", "-ab"] {
            #expect(try paths { $0.bucket = name } == ["bucket"], "\(name)")
        }
        #expect(try paths { $0.region = "" } == ["region"])
        #expect(try paths { $0.region = "a:b" } == ["region"])
        #expect(try paths { $0.secretName = "../x" } == ["secretName"])
    }
}
