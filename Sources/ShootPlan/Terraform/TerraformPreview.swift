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
    package init(from old: Shoot.Spec?, to new: Shoot.Spec) {
        let before = old.map(Self.resources) ?? [:]
        let after = Self.resources(new)
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

    /// The resources of a shoot, each with what it depends on; none where it is not at AWS.
    private static func resources(_ spec: Shoot.Spec) -> [String: JSONValue] {
        guard spec.provider.type == .aws else { return [:] }
        let zones = spec.provider.infrastructure?["zones"]?.items ?? []
        let network: JSONValue = [.string(spec.region ?? ""), .string(spec.networking.nodes)]
        var resources: [String: JSONValue] = [
            "aws_vpc.shoot": network, "aws_internet_gateway.shoot": network, "aws_default_route_table.shoot": network,
            "aws_default_security_group.nodes": network,
        ]
        for (index, zone) in zones.enumerated() {
            resources["aws_subnet.nodes[\"\(zone.text ?? "")\"]"] = [network, .integer(index)]
        }
        // What sleeps has no machines.
        for pool in spec.hibernation.enabled ? [] : spec.workers {
            let template: JSONValue = [.string(pool.machineType ?? ""), .string(pool.image ?? "")]
            let bounds: JSONValue = [.integer(pool.minimum), .integer(pool.maximum)]
            resources["aws_launch_template.pool[\"\(pool.name)\"]"] = template
            resources["aws_autoscaling_group.pool[\"\(pool.name)\"]"] = [template, bounds, .array(zones)]
        }
        return resources
    }
}
