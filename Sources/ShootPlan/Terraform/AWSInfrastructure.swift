package import ClusterModel
package import TendrilCore

/// What a shoot says of its infrastructure at AWS (`spec.provider.infrastructure`).
package struct AWSInfrastructure: Codable, Hashable, Sendable {
    /// The availability zones that machines are spread over.
    package var zones: [String]
    /// The Secret beside the Shoot with `accessKeyID` and `secretAccessKey`.
    package var credentials: String

    /// Every problem of a shoot that is to run at AWS.
    package static func problems(_ spec: Shoot.Spec) -> [ConfigurationProblem] {
        problems(ofForm: spec) + problems(ofPlace: spec)
    }

    /// What must not be used at all: texts that are no names, and fields that nobody knows.
    package static func problems(ofForm spec: Shoot.Spec) -> [ConfigurationProblem] {
        let path = "spec.provider.infrastructure"
        guard case .object(let fields)? = spec.provider.infrastructure else {
            return [ConfigurationProblem(path, "is missing")]
        }
        var problems: [ConfigurationProblem] = []
        for key in fields.keys.sorted() where !["zones", "credentials"].contains(key) {
            problems.add("\(path).\(key)", "is no field")
        }
        if case .array(let zones)? = fields["zones"], (1...6).contains(zones.count) {
            for (index, zone) in zones.enumerated() where !(zone.text.map(isZone) ?? false) {
                problems.add("\(path).zones[\(index)]", "is no availability zone")
            }
            problems.require(Set(zones).count == zones.count, "\(path).zones", "holds one twice")
        } else {
            problems.add("\(path).zones", "is no list of one to six zones")
        }
        let isSecret = fields["credentials"]?.text.map(NodeName.isValid) ?? false
        problems.require(isSecret, "\(path).credentials", "is no Secret's name")
        problems.require(spec.region.map(isZone) ?? false, "spec.region", "is no region")
        return problems
    }

    /// The lengths of a VPC's prefix whose eighths can be subnets, in bits (Amazon VPC User Guide, "Subnet CIDR blocks":
    /// both have a /16 to a /28).
    private static let networkLengths = 16...25

    /// What AWS would refuse, or nodes could not live with.
    private static func problems(ofPlace spec: Shoot.Spec) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        problems.require(
            spec.networking.type != .routed,
            "spec.networking.type",
            "routed is for nodes that see one another without a router, which AWS does not give: take overlay or none"
        )
        let nodes = spec.networking.nodes
        problems.require(
            IPPrefix(nodes).map { networkLengths.contains($0.length) } ?? true,
            "spec.networking.nodes",
            "\(nodes) is not a /16 to a /25: at AWS it is the VPC's range, and a subnet is an eighth of it"
        )
        guard let region = spec.region, isZone(region) else { return problems }
        for (index, zone) in (spec.provider.infrastructure?["zones"]?.items ?? []).enumerated() {
            // A zone's name begins with its region's, that of a local zone as well.
            guard let name = zone.text, isZone(name), !name.hasPrefix(region) else { continue }
            problems.add("spec.provider.infrastructure.zones[\(index)]", "\(name) is not in the region \(region)")
        }
        return problems
    }

    /// Whether what Terraform says of the network is all that machines need.
    package static func isWhole(_ made: JSONValue) -> Bool {
        let subnets = made["subnets"]?.items ?? []
        return !subnets.isEmpty && subnets.allSatisfy { $0.text != nil } && made["securityGroup"]?.text != nil
    }

    /// What forbids a change: the parts of the network belong to the zones in their order.
    ///
    /// - Parameters:
    ///   - made: what `prepare` made last, with its `zones`.
    ///   - spec: what is wanted now.
    /// - Returns: the problems, each with its field.
    package static func problems(changing made: JSONValue, to spec: Shoot.Spec) -> [ConfigurationProblem] {
        func zones(_ value: JSONValue?) -> [JSONValue] {
            guard case .array(let zones)? = value?["zones"] else { return [] }
            return zones
        }
        guard zones(spec.provider.infrastructure).starts(with: zones(made)) else {
            let path = "spec.provider.infrastructure.zones"
            return [ConfigurationProblem(path, "zones can be added at the end, and neither removed nor moved")]
        }
        return []
    }

    private static func isZone(_ text: String) -> Bool {
        (1...32).contains(text.utf8.count) && text.utf8.first?.isLowercase == true
            && text.utf8.allSatisfy { $0.isLowercase || $0.isDigit || $0 == 0x2D }
    }
}

/// What is handed to Terraform: configurations that never change, and values beside them.
package enum TerraformConfiguration {
    /// The configuration of the network.
    package static var network: [UInt8] { PackageResources.network_tf }
    /// The configuration of the machines.
    package static var machines: [UInt8] { PackageResources.machines_tf }

    /// The network's values.
    ///
    /// - Parameters:
    ///   - cluster: the shoot.
    ///   - identity: of nobody else, also where another garden has a shoot of the same name.
    ///   - zones: in their order.
    ///   - isSimulated: whether the cloud is a simulator.
    /// - Returns: what `network.tf` has variables for.
    package static func network(
        _ cluster: ClusterFacts,
        identity: String,
        zones: [String],
        isSimulated: Bool
    ) -> JSONValue {
        [
            "name": .string(cluster.id), "identity": .string(identity), "region": .string(cluster.spec.region ?? ""),
            "zones": .array(zones.map { .string($0) }), "nodes": .string(cluster.spec.networking.nodes),
            "simulated": .bool(isSimulated),
        ]
    }

    /// The values of a pool.
    package static func pool(_ pool: Shoot.Worker, image: String, userData: String) -> JSONValue {
        [
            "minimum": .integer(pool.minimum), "maximum": .integer(pool.maximum),
            "machineType": .string(pool.machineType ?? ""), "image": .string(image), "volumeSize": 50,
            "userData": .string(userData),
        ]
    }

    /// What the launch template and the scaling group of a pool are called, where they are made new.
    ///
    /// Both names are one account's and region's own. No shoot's or pool's name has a dot, so no two pools of any two
    /// shoots share one; a piece of the identity tells shoots of the same name in two gardens apart.
    ///
    /// - Parameters:
    ///   - cluster: the shoot's technical ID, of at most 40 bytes.
    ///   - identity: a UID.
    ///   - pool: the pool's name, of at most 15 bytes.
    /// - Returns: at most 65 of a-z, 0-9, hyphens and dots. A launch template takes 3 to 128 of these (EC2 API
    ///   Reference, "CreateLaunchTemplate"), a scaling group up to 255.
    package static func groupName(_ cluster: String, identity: String, pool: String) -> String {
        "\(cluster).\(identity.prefix(8)).\(pool)"
    }

    /// The machines' values.
    package static func machines(
        _ cluster: ClusterFacts,
        identity: String,
        subnets: JSONValue,
        securityGroup: JSONValue,
        pools: [String: JSONValue],
        isSimulated: Bool
    ) -> JSONValue {
        let named = pools.map { pool, values in
            (pool, values.merging(["name": .string(groupName(cluster.id, identity: identity, pool: pool))]))
        }
        return [
            "name": .string(cluster.id), "identity": .string(identity),
            "region": .string(cluster.spec.region ?? ""), "subnets": subnets,
            "securityGroup": securityGroup, "pools": .object(Dictionary(uniqueKeysWithValues: named)),
            "simulated": .bool(isSimulated),
        ]
    }
}

/// Tells what kind of failure a cloud means.
package enum CloudFailure {
    /// Words of AWS's error codes (EC2 API Reference, "Error codes"), and what they come to; the first that fits.
    private static let words: [(String, ShootStatus.ErrorCode)] = [
        ("UnauthorizedOperation", .unauthorized), ("AccessDenied", .unauthorized), ("AuthFailure", .unauthenticated),
        ("InvalidClientTokenId", .unauthenticated), ("ExpiredToken", .unauthenticated),
        ("SignatureDoesNotMatch", .unauthenticated), ("No valid credential sources", .unauthenticated),
        ("RequestLimitExceeded", .rateLimit), ("Throttling", .rateLimit), ("InsufficientInstanceCapacity", .depleted),
        ("InsufficientFreeAddresses", .depleted), ("LimitExceeded", .quota), ("QuotaExceeded", .quota),
        ("DependencyViolation", .dependencies), ("AlreadyExists", .dependencies), ("InvalidAMIID", .configuration),
        ("InvalidParameterValue", .configuration), ("InvalidVpc.Range", .configuration),
        ("InvalidSubnet.Range", .configuration), ("nvalid AWS Region", .configuration),
        ("Unsupported: ", .configuration),
    ]

    /// The kind of a failure by its text.
    package static func code(_ text: String) -> ShootStatus.ErrorCode {
        words.first { text.contains($0.0) }?.1 ?? .unknown
    }

    /// What an answer of one of the cloud's services says is wrong, in one line.
    package static func message(_ answer: String) -> String {
        let text = answer.split(separator: "<Message>", maxSplits: 1).dropFirst().first.map { rest in
            rest.prefix { $0 != "<" }
        }
        return String((text ?? answer.prefix(200)).map { $0.isNewline ? " " : $0 }.prefix(800))
    }

    /// The part of Terraform's output that says what is wrong, in one line.
    package static func summary(_ output: String) -> String {
        let lines = output.split(separator: "\n").map { line in
            String(line.drop { " │╷╵".contains($0) })
        }
        let errors = lines.filter { $0.hasPrefix("Error:") }
        let text = errors.isEmpty ? lines.suffix(3) : errors.prefix(3)
        return String(text.joined(separator: "; ").prefix(800))
    }
}
