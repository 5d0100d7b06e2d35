package import ClusterModel
internal import TendrilCore

/// What Terraform would do at AWS for a change of a shoot, by the resources that `network.tf` and `machines.tf` make of it.
///
/// What only the coordinator knows is left out: the image behind an image's name, and tokens that are due anyway.
package struct TerraformPreview: Hashable, Sendable {
    /// What becomes of a resource, in Terraform's words.
    package enum Action: String, Sendable {
        case add
        case change
        case destroy
    }

    /// Resources that something becomes of, by their addresses as Terraform writes them.
    package let actions: [String: Action]

    /// Compares what there is, `nil` for nothing, with what is wanted.
    package init(from old: Shoot?, to new: Shoot) {
        let there = old.map(Self.network) ?? [:]
        let before = there.merging(old.map(Self.machines) ?? [:]) { $1 }
        // What is put to sleep, or sleeps, has its network left alone.
        let network = new.isHibernated ? there : Self.network(new)
        let after = network.merging(Self.machines(new)) { $1 }
        var actions: [String: Action] = [:]
        for (address, values) in after where before[address] != values {
            actions[address] = before[address] == nil ? .add : .change
        }
        for address in before.keys where after[address] == nil { actions[address] = .destroy }
        self.actions = actions
    }

    /// As Terraform sums its plans up.
    package var summary: String {
        func count(_ action: Action) -> Int { actions.values.count { $0 == action } }
        return "\(count(.add)) to add, \(count(.change)) to change, \(count(.destroy)) to destroy"
    }

    /// The network of a shoot, each resource with what it depends on; none where it is not at AWS.
    private static func network(_ shoot: Shoot) -> [String: JSONValue] {
        // What sleeps has what was made of it while it was awake, if it ever was.
        let described = shoot.isHibernated ? shoot.status?.infrastructure : shoot.spec.provider.infrastructure
        guard shoot.spec.provider.type == .aws, let zones = described?["zones"]?.items else { return [:] }
        let network: JSONValue = [.string(shoot.spec.region ?? ""), .string(shoot.spec.networking.nodes)]
        var resources: [String: JSONValue] = [
            "aws_vpc.shoot": network, "aws_internet_gateway.shoot": network, "aws_default_route_table.shoot": network,
            "aws_default_security_group.nodes": network,
        ]
        for (index, zone) in zones.enumerated() {
            resources["aws_subnet.nodes[\"\(zone.text ?? "")\"]"] = [network, .integer(index)]
        }
        return resources
    }

    /// The machines of a shoot likewise; what sleeps has none.
    private static func machines(_ shoot: Shoot) -> [String: JSONValue] {
        guard shoot.spec.provider.type == .aws, !shoot.isHibernated else { return [:] }
        let zones = shoot.spec.provider.infrastructure?["zones"] ?? []
        var resources: [String: JSONValue] = [:]
        for pool in shoot.spec.workers {
            let template: JSONValue = [
                .string(pool.machineType ?? ""), .string(pool.image ?? MachineImage.fallback),
            ]
            let bounds: JSONValue = [.integer(pool.minimum), .integer(pool.maximum)]
            resources["aws_launch_template.pool[\"\(pool.name)\"]"] = template
            resources["aws_autoscaling_group.pool[\"\(pool.name)\"]"] = [template, bounds, zones]
        }
        return resources
    }
}
