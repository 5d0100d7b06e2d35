import ClusterModel
import Foundation
import ShootPlan
import ShootSamples
import TendrilCore
import Testing

@Suite("Hostile texts")
struct HostileTextTests {
    /// What is written of a document, read again, with a marker where the text stands by itself.
    private func shape(_ document: JSONValue, _ text: String) throws -> JSONValue {
        let bytes = try CanonicalJSON.bytes(document)
        return RenderingTests.replaced(try JSONDecoder().decode(JSONValue.self, from: Data(bytes)), text, inside: true)
    }

    @Test("are refused wherever a shoot says something of its infrastructure", arguments: RenderingTests.hostile)
    func refusedInfrastructure(_ text: String) throws {
        let path = "spec.provider.infrastructure"
        let cases: [(JSONValue, String)] = [
            (.string(text), path), (["zones": .string(text), "credentials": "aws"], "\(path).zones"),
            (["zones": ["eu-central-1a", .string(text)], "credentials": "aws"], "\(path).zones[1]"),
            (["zones": ["eu-central-1a"], "credentials": .string(text)], "\(path).credentials"),
            (.object(["zones": ["eu-central-1a"], "credentials": "aws", text: "x"]), "\(path).\(text)"),
        ]
        for (infrastructure, field) in cases {
            let shoot = try Samples.shoot {
                $0.spec.provider.infrastructure = infrastructure
                $0.spec.region = "eu-central-1"
                $0.spec.networking.type = .overlay
            }
            #expect(AWSInfrastructure.problems(shoot.spec).map(\.path) == [field])
        }
        let elsewhere = try Samples.shoot {
            $0.spec.provider.infrastructure = ["zones": ["a"], "credentials": "aws"]
            $0.spec.networking.type = .overlay
            $0.spec.region = text
        }
        #expect(AWSInfrastructure.problems(elsewhere.spec).map(\.path) == ["spec.region"])
    }

    @Test("would stay the one value that they are in what Terraform is given", arguments: RenderingTests.hostile)
    func terraform(_ text: String) throws {
        func values(_ text: String) throws -> JSONValue {
            let facts = try #require(
                try Samples.facts {
                    $0.spec.region = text
                    $0.spec.workers[0].machineType = text
                }
            )
            let pool = TerraformConfiguration.pool(facts.spec.workers[0], image: text, userData: text)
            let machines = TerraformConfiguration.machines(
                facts,
                identity: "x",
                subnets: [.string(text)],
                securityGroup: .string(text),
                pools: ["worker": pool],
                isSimulated: false
            )
            return try shape(
                [TerraformConfiguration.network(facts, identity: "x", zones: [text], isSimulated: false), machines],
                text
            )
        }
        #expect(try values(text) == values("harmless"))
    }

    @Test(
        "stay the one value that they are in what kube-apiserver is told of an identity provider, and lead nowhere",
        arguments: RenderingTests.hostile
    )
    func identityProvider(_ text: String) throws {
        func objects(_ change: (inout Shoot.OIDC) -> Void) throws -> [JSONValue] {
            var oidc = Shoot.OIDC(issuerURL: "https://login.example.org", clientID: "a")
            change(&oidc)
            let facts = try Samples.facts {
                $0.spec.kubernetes.version = "1.34.0"
                $0.spec.controlPlane.oidc = oidc
            }
            return try ControlPlane.apiServer(try #require(facts), Samples.addresses, digests: [:])
        }
        func told(_ text: String) throws -> JSONValue {
            let all = try objects {
                ($0.clientID, $0.usernameClaim, $0.usernamePrefix) = (text, text, text)
                ($0.groupsClaim, $0.groupsPrefix, $0.certificateAuthority) = (text, text, text)
                $0.requiredClaims = ["a": text]
            }
            return try shape(try #require(all.first { $0["kind"] == "ConfigMap" }), text)
        }
        #expect(try told(text) == told("harmless"))
        let bad = try objects { ($0.issuerURL, $0.additionalHosts) = ("https://\(text)", [text]) }
        let containers = bad.compactMap { $0["spec"]?["template"]?["spec"]?["containers"]?.items }.flatMap { $0 }
        let words = containers.flatMap { $0["command"]?.items ?? [] }.compactMap(\.text)
        #expect(words.count > 20 && !words.contains { $0.hasPrefix("--outside-target") })
    }

    @Test("of infrastructure and nodes reach neither the seed nor kube-system")
    func elsewhere() throws {
        let facts = try #require(
            try Samples.facts {
                $0.spec.provider.infrastructure = ["zones": ["canary"], "credentials": "canary"]
                $0.spec.workers[0].labels = ["a": "canary"]
                $0.spec.workers[0].machineType = "canary"
                $0.spec.addons.dashboard = true
            }
        )
        let objects =
            ControlPlane.etcd(facts, digests: [:]) + ControlPlane.controllers(facts, digests: [:])
            + (try ControlPlane.apiServer(facts, Samples.addresses, digests: [:]))
            + (try Addons.all(facts, kubeProxy: [:], kubeconfig: "", digest: "").flatMap(\.objects))
            + Addons.system(facts, gateKey: "")
        #expect(!String(decoding: try CanonicalJSON.bytes(objects), as: UTF8.self).contains("canary"))
    }

    @Test("stay the one value that they are in add-ons", arguments: RenderingTests.hostile)
    func addons(_ text: String) throws {
        func objects(_ text: String) throws -> JSONValue {
            let facts = try #require(
                try Samples.facts {
                    $0.spec.networking.pods = text
                    $0.spec.addons.dashboard = true
                }
            )
            let addons = try Addons.all(facts, kubeProxy: ["mode": .string(text)], kubeconfig: text, digest: text)
            #expect(addons.count == 5)
            return try shape(.array(addons.flatMap(\.objects) + Addons.system(facts, gateKey: text)), text)
        }
        #expect(try objects(text) == objects("harmless"))
        // An owner does not come so far.
        let shoot = try Samples.shoot { $0.spec.networking.pods = text }
        #expect(ShootRules.problems(shoot).contains { $0.path == "spec.networking.pods" })
    }
}
