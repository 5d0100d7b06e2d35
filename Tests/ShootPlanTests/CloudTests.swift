import ClusterModel
import ShootPlan
import ShootSamples
import TendrilCore
import Testing

@Suite("Infrastructure at AWS")
struct CloudTests {
    private static let good: JSONValue = ["zones": ["eu-central-1a", "eu-central-1b"], "credentials": "aws"]

    private func problems(
        _ infrastructure: JSONValue?,
        region: String? = "eu-central-1",
        network: Shoot.NetworkType = .overlay,
        nodes: String = "10.250.0.0/16"
    ) throws -> [ConfigurationProblem] {
        AWSInfrastructure.problems(
            try Samples.shoot {
                $0.spec.provider.infrastructure = infrastructure
                $0.spec.region = region
                $0.spec.networking.type = network
                $0.spec.networking.nodes = nodes
            }.spec
        )
    }

    @Test("needs a network that crosses subnets")
    func network() throws {
        #expect(try problems(Self.good, network: .routed).map(\.path) == ["spec.networking.type"])
        #expect(try problems(Self.good, network: .none) == [])
    }

    @Test("needs a range for nodes that AWS makes a network of, and whose eighths are subnets there")
    func nodes() throws {
        for nodes in ["10.250.0.0/16", "10.250.0.0/25"] { #expect(try problems(Self.good, nodes: nodes) == []) }
        for nodes in ["10.240.0.0/12", "10.250.0.0/15", "10.250.0.0/26", "10.250.0.0/28"] {
            let found = try problems(Self.good, nodes: nodes)
            #expect(found.map(\.path) == ["spec.networking.nodes"] && found[0].reason.hasPrefix("\(nodes) is not"))
        }
        // Machines elsewhere have no such limits.
        #expect(ShootRules.problems(try Samples.shoot { $0.spec.networking.nodes = "10.240.0.0/12" }) == [])
    }

    @Test("what breaks a limit was accepted once, perhaps, and is used then; what is no name never is")
    func form() throws {
        let limits = try Samples.shoot {
            $0.spec.provider.infrastructure = Self.good
            ($0.spec.region, $0.spec.networking.nodes) = ("us-east-1", "10.240.0.0/12")
        }.spec
        #expect(AWSInfrastructure.problems(limits).count == 4)
        #expect(AWSInfrastructure.problems(ofForm: limits) == [])
        let names = try Samples.shoot {
            $0.spec.provider.infrastructure = ["zones": ["../a"], "credentials": "../kube-system/x"]
            $0.spec.region = "${var.x}"
        }.spec
        #expect(AWSInfrastructure.problems(ofForm: names).count == 3)
    }

    @Test("takes zones and the name of a Secret")
    func takes() throws { #expect(try problems(Self.good) == []) }

    @Test(
        "refuses everything else, and names the field",
        arguments: [
            (nil, "spec.provider.infrastructure"), ("x", "spec.provider.infrastructure"),
            (["zones": [], "credentials": "aws"], "spec.provider.infrastructure.zones"),
            (["zones": "a", "credentials": "aws"], "spec.provider.infrastructure.zones"),
            (["zones": ["a", "a"], "credentials": "aws"], "spec.provider.infrastructure.zones"),
            (["zones": ["${file(\"/etc/passwd\")}"], "credentials": "aws"], "spec.provider.infrastructure.zones[0]"),
            (["zones": [1], "credentials": "aws"], "spec.provider.infrastructure.zones[0]"),
            (["zones": ["a"]], "spec.provider.infrastructure.credentials"),
            (["zones": ["a"], "credentials": "../kube-system/x"], "spec.provider.infrastructure.credentials"),
            (["zones": ["a"], "credentials": "aws", "vpc": "x"], "spec.provider.infrastructure.vpc"),
        ] as [(JSONValue?, String)]
    )
    func refuses(_ infrastructure: JSONValue?, _ path: String) throws {
        #expect(try problems(infrastructure).contains { $0.path == path })
    }

    @Test("needs zones of its region: a mistyped region is seen before it cannot be changed any more")
    func zonesOfRegion() throws {
        let path = "spec.provider.infrastructure.zones"
        for region in ["eu-centrl-1", "us-east-1"] {
            #expect(try problems(Self.good, region: region).map(\.path) == ["\(path)[0]", "\(path)[1]"])
        }
        let other: JSONValue = ["zones": ["eu-central-1a", "eu-west-1a"], "credentials": "aws"]
        #expect(try problems(other).map(\.description) == ["\(path)[1]: eu-west-1a is not in the region eu-central-1"])
        let local: JSONValue = ["zones": ["us-west-2-lax-1a"], "credentials": "aws"]
        #expect(try problems(local, region: "us-west-2") == [])
    }

    @Test("needs a region")
    func region() throws {
        for region in [nil, "", "EU", "${var.x}"] {
            #expect(try problems(Self.good, region: region).map(\.path) == ["spec.region"])
        }
    }

    @Test(
        "tells kinds of failures apart",
        arguments: [
            ("api error UnauthorizedOperation: You are not", ShootStatus.ErrorCode.unauthorized),
            ("api error AuthFailure: AWS was not able", .unauthenticated), ("VpcLimitExceeded: The maximum", .quota),
            ("api error RequestLimitExceeded: Request limit", .rateLimit), ("InsufficientInstanceCapacity", .depleted),
            ("DependencyViolation: The vpc", .dependencies), ("InvalidAMIID.NotFound", .configuration),
            ("InvalidLaunchTemplateName.AlreadyExistsException: Launch template name", .dependencies),
            ("api error AlreadyExists: AutoScalingGroup by this name already exists", .dependencies),
            ("Error: invalid AWS Region: eu-centrl-1", .configuration),
            ("api error InvalidSubnet.Range: The CIDR", .configuration),
            ("something else", .unknown), ("", .unknown),
        ]
    )
    func codes(_ text: String, _ code: ShootStatus.ErrorCode) { #expect(CloudFailure.code(text) == code) }

    @Test("shows of Terraform's output what is wrong, in one line with a bound")
    func summary() {
        let output = "data.x: Reading...\n╷\n│ Error: no VPC\n│ \n│   on main.tf line 3\n╵\n│ Error: second\n"
        #expect(CloudFailure.summary(output) == "Error: no VPC; Error: second")
        #expect(CloudFailure.summary("killed") == "killed")
        #expect(CloudFailure.summary("Error: " + String(repeating: "x", count: 5000)).count == 800)
    }

    @Test("shows of a service's answer its message, in one line with a bound")
    func message() {
        let answer = "<Response><Error><Code>Throttling</Code><Message>Rate\nexceeded</Message></Error></Response>"
        #expect(CloudFailure.message(answer) == "Rate exceeded")
        #expect(CloudFailure.message("gone") == "gone")
        #expect(CloudFailure.message("") == "")
        #expect(CloudFailure.message("x<Message>" + String(repeating: "y", count: 5000)).count == 800)
    }

    @Test("configurations hold no value of a shoot; values hold nothing that Terraform reads as an expression")
    func values() throws {
        let hostile = "${file(\"/etc/shadow\")}"
        let pool = TerraformConfiguration.pool(
            try Samples.shoot { $0.spec.workers[0].machineType = hostile }.spec.workers[0],
            image: "ami-1",
            userData: "eA=="
        )
        // In a file of values Terraform takes every text as itself.
        #expect(pool["machineType"] == .string(hostile))
        for configuration in [TerraformConfiguration.network, TerraformConfiguration.machines] {
            let text = String(decoding: configuration, as: UTF8.self)
            #expect(!text.contains("templatefile") && !text.contains("local-exec") && !text.contains("provisioner"))
        }
    }

    @Test("no two pools of any two shoots share a name at AWS, in one garden or in two")
    func groupNames() throws {
        // The shoot `prod` with the pool `eu-worker`, say, and the shoot `prod-eu` with the pool `worker`.
        let parts = ["prod", "prod-eu", "worker", "eu-worker", "a", "a-b", "b-a", "b"]
        var seen: Set<String> = []
        for (project, name) in parts.flatMap({ part in ["demo", "demo-prod"].map { ($0, part) } }) {
            let cluster = try #require(TechnicalID(project: project, name: name)).description
            for pool in parts {
                for identity in ["0a1b2c3d-1111-4222-8333-444455556666", "9a1b2c3d-1111-4222-8333-444455556666"] {
                    let called = TerraformConfiguration.groupName(cluster, identity: identity, pool: pool)
                    let isNew = seen.insert(called).inserted
                    #expect(isNew, "\(called)")
                }
            }
        }
    }

    @Test("the longest name of a pool's group is one that AWS takes")
    func longestGroupName() throws {
        let project = String(repeating: "p", count: TechnicalID.maximumBytes - 1)
        let facts = try #require(
            try Samples.facts { ($0.metadata.namespace, $0.metadata.name) = (project, "n") }
        )
        let pool = String(repeating: "w", count: 15)
        let values = TerraformConfiguration.machines(
            facts,
            identity: "0a1b2c3d-1111-4222-8333-444455556666",
            subnets: [],
            securityGroup: "",
            pools: [pool: TerraformConfiguration.pool(facts.spec.workers[0], image: "", userData: "")],
            isSimulated: false
        )
        let name = try #require(values["pools"]?[pool]?["name"]?.text)
        #expect(name == "shoot--\(project)--n.0a1b2c3d.\(pool)" && name.utf8.count == 65)
        #expect(name.utf8.allSatisfy { $0.isLowercase || $0.isDigit || $0 == 0x2D || $0 == 0x2E })
    }

    @Test("what has another name already keeps it, and is found by its tags")
    func keptNames() {
        let text = String(decoding: TerraformConfiguration.machines, as: UTF8.self)
        func count(_ part: String) -> Int { text.split(separator: part, omittingEmptySubsequences: false).count - 1 }
        #expect(count("= each.value.name\n") == 2 && count("ignore_changes = [name]") == 2)
        #expect(!text.contains("trimprefix") && text.contains("\"tag:tendril.dev/pool\""))
    }

    @Test("one gateway at most is taken over, however many there are")
    func oneGateway() {
        let text = String(decoding: TerraformConfiguration.network, as: UTF8.self)
        #expect(text.contains("for_each = toset(slice(local.gateways, 0, min(length(local.gateways), 1)))"))
    }

    @Test("zones come at the end, and neither go nor move")
    func zones() throws {
        func spec(_ zones: JSONValue) throws -> Shoot.Spec {
            try Samples.shoot { $0.spec.provider.infrastructure = ["zones": zones, "credentials": "aws"] }.spec
        }
        let before: JSONValue = ["zones": ["a", "b"], "vpc": "vpc-1"]
        #expect(AWSInfrastructure.problems(changing: [:], to: try spec(["z"])) == [])
        #expect(AWSInfrastructure.problems(changing: before, to: try spec(["a", "b", "c"])) == [])
        for zones in [["b", "a"], ["a"], ["c", "a", "b"]] as [JSONValue] {
            #expect(AWSInfrastructure.problems(changing: before, to: try spec(zones)).count == 1)
        }
    }
}
