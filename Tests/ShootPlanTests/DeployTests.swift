import ClusterModel
import Foundation
import NodePlan
import ShootPlan
import StrictYAML
import TendrilCore
import Testing

@Suite("What is deployed")
struct DeployTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../deploy")

    @Test("defines the kinds that the coordinator reads")
    func definitions() throws {
        let path = Self.root.appending(path: "definitions/definitions.json")
        let list = try JSONDecoder().decode(JSONValue.self, from: Data(contentsOf: path))
        #expect(list["items"] == .array(try GardenManifests.all()), "print deploy/definitions/definitions.json anew")
    }

    @Test("shows examples that are taken as they are, and go together")
    func examples() throws {
        func bytes(_ name: String) throws -> [UInt8] {
            Array(try Data(contentsOf: Self.root.appending(path: "examples/\(name).yaml")))
        }
        func object<Kind: KubernetesObject>(_ type: Kind.Type, _ name: String, _ definition: ResourceDefinition) throws
            -> Kind
        {
            let whole = definition.schema.fillingIn(try YAMLParser.parse(try bytes(name)).json)
            return try StrictDecoder.decode(type, from: try CanonicalJSON.bytes(whole))
        }
        let configuration = try StrictDecoder.decode(
            CoordinatorConfiguration.self,
            from: try bytes("coordinator"),
            judge: { $0.problems }
        )
        let seed = try object(Seed.self, "seed", try Seed.definition())
        let shoot = try object(Shoot.self, "shoot", try Shoot.definition())
        #expect(SeedInstallation.problems(configuration, seed: seed.name) == [])
        #expect(ShootRules.problems(shoot) == [] && AWSInfrastructure.problems(shoot.spec) == [])
        #expect(ShootRules.problems(shoot, seed: seed.spec, images: configuration.machineImages) == [])
        #expect(SeedFit.reason(seed, against: shoot, hosted: 0) == nil)
    }

    @Test("shows what a pool's machines are to be, taken as it is")
    func nodeConfiguration() throws {
        let path = Self.root.appending(path: "examples/node-configuration.yaml")
        let configuration = try StrictDecoder.decode(
            NodeConfiguration.self,
            from: Array(try Data(contentsOf: path)),
            judge: NodeConfigurationRules.problems
        )
        // What a unit waits for is there, and a kubelet can be made of it.
        let files = Set((configuration.spec.files ?? []).map(\.path))
        for unit in configuration.spec.units ?? [] { #expect(files.isSuperset(of: unit.restartOn ?? [])) }
        let kubelet = try #require(configuration.spec.kubelet)
        let host = HostFacts(nodeName: "w1", hierarchy: .v2)
        let rendered = try KubeletRendering.render(kubelet, runtime: configuration.spec.containerRuntime, on: host)
        #expect(rendered.unit.content?.contains(kubelet.binary ?? "") == true)
    }

    @Test(
        "is refused where no machine could come of it, or no image could be pulled",
        arguments: [
            ("program: {baked: true}", "program: {}", "machineImages[0].program: needs one of"),
            ("program: {baked: true}", "program: {baked: false}", "machineImages[0].program.sha256: is missing"),
            ("program: {baked: true}", "program: {url: \"http://x\"}", "machineImages[0].program.url: is not https"),
            ("program: {baked: true}", "program: {image: x, sha256: z}", "machineImages[0].program.sha256: is not 64"),
            ("program: {baked: true}", "program: {baked: true, image: x}", "machineImages[0].program: needs one of"),
            ("ami-0123456789abcdef0", "foo", "machineImages[0].ami: is not ami-"),
            ("1.33.4", "v1.33.4", "machineImages[0].kubernetes[0]: v1.33.4 is no release"),
            ("ghcr.io/tendril", "https://ghcr.io/x", "images.tendril: https://ghcr.io/x is no registry"),
            ("ghcr.io/tendril", "ghcr.io/x/", "images.tendril: ghcr.io/x/ is no registry"),
            ("ghcr.io/tendril", "ghcr.io/x:1", "images.tendril: ghcr.io/x:1 is no registry"),
            ("seed: eu1", "seed: eu1\nnamespace: A B", "namespace: is no DNS label"),
        ]
    )
    func refused(_ part: String, _ other: String, _ expected: String) throws {
        let path = Self.root.appending(path: "examples/coordinator.yaml")
        let text = try String(contentsOf: path, encoding: .utf8)
        #expect(text.contains(part))
        let error = #expect(throws: ConfigurationError.self) {
            _ = try StrictDecoder.decode(
                CoordinatorConfiguration.self,
                from: Array(text.replacing(part, with: other).utf8),
                judge: { $0.problems }
            )
        }
        let found = (error?.problems ?? []).map(\.description)
        #expect(found.contains { $0.hasPrefix(expected) }, "\(found)")
    }

    @Test(
        "gives a coordinator that runs Terraform an image that holds it, and places to write to",
        arguments: [true, false]
    )
    func terraform(_ isWanted: Bool) throws {
        let path = Self.root.appending(path: "examples/coordinator.yaml")
        var configuration = try StrictDecoder.decode(
            CoordinatorConfiguration.self,
            from: Array(try Data(contentsOf: path)),
            judge: { $0.problems }
        )
        if !isWanted { configuration.terraform = nil }
        let base = try SeedInstallation.texts.map { try YAMLParser.parse(Array($0.utf8)).json }
        let installation = SeedInstallation(base, configuration, text: "", version: "1", replicas: 1)
        let pod = try #require(installation.workload(configurationVersion: "1").first?["spec"]?["template"]?["spec"])
        let container = try #require(pod["containers"]?.items.first)
        let volumes = Set((pod["volumes"]?.items ?? []).compactMap { $0["name"]?.text })
        let mounts = (container["volumeMounts"]?.items ?? []).compactMap { $0["mountPath"]?.text }
        #expect(Set((container["volumeMounts"]?.items ?? []).compactMap { $0["name"]?.text }) == volumes)
        #expect(mounts.contains("/etc/tendril") && mounts.contains("/tmp") == isWanted)
        #expect(mounts.contains("/var/lib/tendril-terraform") == isWanted)
        let name = isWanted ? "tendril-coordinator-terraform" : "tendril-coordinator"
        #expect(container["image"]?.text == "ghcr.io/tendril/\(name):1")
        #expect(container["resources"]?["limits"]?["memory"] == (isWanted ? "6Gi" : "1Gi"))
    }

    @Test("takes away with a seed all that was made, but for what coordinators of other seeds need")
    func removed() throws {
        let base = try SeedInstallation.texts.map { try YAMLParser.parse(Array($0.utf8)).json }
        func names(_ others: Bool) -> [String] {
            SeedInstallation.removed(base, others: others).map {
                "\($0["kind"]?.text ?? "") \($0["metadata"]?["name"]?.text ?? "")"
            }
        }
        let all = names(false)
        #expect(Set(all).count == base.count + 2)
        let first = ["ValidatingWebhookConfiguration tendril-coordinator", "ConfigMap tendril-coordinator"]
        #expect(Array(all.prefix(2)) == first && Array(names(true).prefix(2)) == first)
        let kept = Set(all).subtracting(names(true))
        #expect(kept == ["Namespace tendril-system", "ClusterRole tendril:coordinator-garden"])
    }

    /// What a role allows, a line each: what is done to what.
    private static func rules(of name: String) throws -> [String] {
        let documents = try SeedInstallation.texts.map { try YAMLParser.parse(Array($0.utf8)).json }
        let role = try #require(documents.first { $0["metadata"]?["name"]?.text == name && $0["rules"] != nil })
        func texts(_ value: JSONValue?) -> [String] {
            guard case .array(let items)? = value else { return [] }
            return items.compactMap(\.text)
        }
        guard case .array(let rules)? = role["rules"] else { return [] }
        return rules.flatMap { rule in
            #expect(Set(rule.object.keys) == ["apiGroups", "resources", "verbs"], "\(rule)")
            return texts(rule["apiGroups"]).flatMap { group in
                texts(rule["resources"]).map { resource in
                    "\(texts(rule["verbs"]).joined(separator: " ")): \(group.isEmpty ? "" : group + "/")\(resource)"
                }
            }
        }.sorted()
    }

    @Test("lets the coordinator do this in a garden, and nothing else")
    func gardenRights() throws {
        #expect(
            try Self.rules(of: "tendril:coordinator-garden") == [
                "create: events", "get create patch delete: secrets", "get list watch patch: tendril.dev/shoots",
                "get list watch: tendril.dev/seeds", "patch: tendril.dev/seeds/status",
                "patch: tendril.dev/shoots/status",
            ]
        )
    }

    @Test("lets the coordinator do this in its seed, and nothing else: no pods, no roles, nobody else's accounts")
    func seedRights() throws {
        #expect(
            try Self.rules(of: "tendril:coordinator-seed") == [
                "get create patch delete: batch/cronjobs", "get create patch delete: batch/jobs",
                "get create patch delete: namespaces", "get create patch: configmaps",
                "get create patch: networking.k8s.io/networkpolicies", "get create patch: policy/poddisruptionbudgets",
                "get create patch: resourcequotas", "get create patch: services",
                "get list create update patch delete: secrets", "get list watch create patch: apps/deployments",
                "get list watch create patch: apps/statefulsets",
            ]
        )
        #expect(
            try Self.rules(of: "tendril-coordinator") == ["get list create update delete: coordination.k8s.io/leases"]
        )
    }
}

extension JSONValue {
    fileprivate var object: [String: JSONValue] { if case .object(let fields) = self { fields } else { [:] } }
}
