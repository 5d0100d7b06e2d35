import ClusterModel
import Foundation
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
