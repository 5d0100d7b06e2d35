package import ClusterModel
package import ShootPlan
package import TendrilCore

/// A pool's machines as a provider is to make them.
package struct MachineGroup: Sendable {
    let pool: Shoot.Worker
    let image: MachineImage
    /// What they start with; secret.
    let userData: [UInt8]

    /// Takes a pool, what its machines boot, and what they start with.
    package init(pool: Shoot.Worker, image: MachineImage, userData: [UInt8]) {
        (self.pool, self.image, self.userData) = (pool, image, userData)
    }
}

/// Which machines there are, as a provider knows them.
package enum PresentMachines: Sendable {
    /// All of them, by the names that their Nodes have.
    case names(Set<String>)
    /// By their addresses; a machine that came a moment ago may be missing.
    case addressed([Machine])

    /// Whether the machine of a Node is gone.
    func isGone(_ node: Node) -> Bool {
        switch self {
        case .names(let names): return !names.contains(node.name)
        case .addressed(let machines):
            let addresses = machines.flatMap(\.addresses)
            let own = (node.status?.addresses ?? []).filter { $0.type == "InternalIP" }.map(\.address)
            // A Node that is well has a machine, whoever says what; one without an address was never one of ours.
            // An answer without any machine is rather a wrong one.
            return !node.isReady && !own.isEmpty && !addresses.isEmpty && Set(addresses).isDisjoint(with: own)
        }
    }

    /// Whether the machine of a name is gone, which is no Node.
    func isGone(_ machine: String) -> Bool {
        switch self {
        case .names(let names): !names.contains(machine)
        case .addressed(let machines):
            // Some images call themselves by their whole name.
            !machines.isEmpty && !machines.contains { $0.name == machine || machine.hasPrefix($0.name + ".") }
        }
    }
}

/// One machine as a provider finds it again.
package struct Machine: Sendable {
    /// The name that its Node has, or would have.
    let name: String
    let addresses: [String]

    /// Takes what it is called, and its addresses where the provider knows it by those.
    package init(name: String, addresses: [String] = []) { (self.name, self.addresses) = (name, addresses) }
}

extension Node {
    var machine: Machine { Machine(name: name, addresses: (status?.addresses ?? []).map(\.address)) }
}

/// What a provider knows of a shoot's machines.
package struct MachinesSeen: Sendable {
    let present: PresentMachines
    /// How many machines each pool is to have at the moment, by its name.
    let desired: [String: Int]
    /// What the provider calls the machines, by their addresses, where that is not the name of their Nodes.
    var instances: [String: String] = [:]
    /// What the provider calls the groups, by the pools' names, where it needs that.
    var groups: [String: String] = [:]
    /// The machines of each pool, by its name.
    var machines: [String: [Machine]] = [:]

    /// The machines of a pool that are not Nodes.
    func strangers(of pool: String, beside nodes: [Node]) -> [Machine] {
        let known = nodes.map(\.machine)
        let (names, addresses) = (Set(known.map(\.name)), Set(known.flatMap(\.addresses)))
        return (machines[pool] ?? []).filter { !names.contains($0.name) && addresses.isDisjoint(with: $0.addresses) }
    }
}

/// Makes networks and machines.
package protocol InfrastructureProvider: Sendable {
    /// What the names of a pool's machines begin with.
    func namePrefix(_ cluster: String, pool: String) -> String

    /// What `prepare` depends on.
    func inputs(_ work: ShootWork) throws -> JSONValue

    /// Makes the network and all that machines need; doing it twice does no harm.
    ///
    /// - Returns: what `scale` needs of it; part of the shoot's status, so nothing secret.
    func prepare(_ work: ShootWork) async throws -> JSONValue

    /// A digest of the program by which `scale` makes machines, where there is one: by another one they are made anew what they are
    /// to be, although nothing else has changed.
    var machinesConfiguration: String? { get }

    /// Keeps beside the control plane what a provider believes the shoot's owner by, for the day on which his own is gone.
    ///
    /// Before another one is kept, so that it is no other one any more, something is prepared; once for each.
    ///
    /// - Returns: whether it is other than what was kept; a Secret that is not there, or not whole, is no other one.
    func keepCredentials(_ work: ShootWork, ahead prepare: @Sendable () async throws -> Void) async throws -> Bool

    /// Makes machine groups what they are to be; those that are not named end.
    ///
    /// - Returns: the machines that there are; `nil` where that is not known.
    func scale(_ work: ShootWork, _ groups: [MachineGroup], _ infrastructure: JSONValue) async throws
        -> PresentMachines?

    /// Which machines there are, and how many each pool is to have at the moment.
    func look(_ work: ShootWork, _ groups: [MachineGroup], _ infrastructure: JSONValue) async throws -> MachinesSeen

    /// How long to wait between two looks.
    var pause: Nanoseconds { get }

    /// Has a pool have this many machines for a while, within its bounds.
    func grow(_ work: ShootWork, _ pool: Shoot.Worker, to count: Int, _ seen: MachinesSeen) async throws

    /// Takes back what `grow` did, where it is left over once nothing is to be replaced any more.
    ///
    /// - Parameters:
    ///   - work: whose machines they are.
    ///   - pool: in which nothing is to be replaced.
    ///   - look: what `look` returns, for those who need it.
    /// - Throws: where that cannot be found out, or taken back.
    func settle(_ work: ShootWork, _ pool: Shoot.Worker, _ look: () async throws -> MachinesSeen) async throws

    /// Ends one machine of a pool; another one comes in its place unless the pool `shrinks`.
    func end(_ work: ShootWork, _ machine: Machine, of pool: Shoot.Worker, shrinks: Bool, _ seen: MachinesSeen)
        async throws

    /// Removes everything that `prepare` made.
    func remove(_ work: ShootWork) async throws
}
