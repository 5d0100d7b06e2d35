package import TendrilCore

/// Which clients are linked to a server, and what each of them may carry; no input, output or clock.
package struct ServerRegistry: Sendable {
    /// The most links of one server.
    package static var maximumLinks: Int { 4096 }

    /// A client that asked to be linked, and what became of it.
    package enum Admission: Sendable {
        case refused(CloseNotice)
        /// The lane belongs to this link; `replaced` is an earlier one of the same identity that must go.
        case accepted(link: Int, bound: RouteTable<Bool>, replaced: Int?)
    }

    private struct Link: Sendable {
        let name: String
        let session: UInt128
        let addresses: [IPAddress]
        /// The networks that packets are routed to.
        let networks: [IPPrefix]
        /// The networks that streams are routed to.
        let streamNetworks: [IPPrefix]
        let order: Int
        /// The lane of each connection.
        var generations: [UInt64: Int] = [:]
    }

    private let tunnels: [IPPrefix]
    private let own: [IPAddress]
    private let pool: [IPPrefix]
    private let bindings: [String: ClientBinding]
    /// The networks that every client may speak for, where Nodes say what each has of the others.
    private let shared: [IPPrefix]
    /// What each Node has; `nil` where Nodes are not followed.
    private var nodes: [String: [IPPrefix]]?
    private var links: [Int: Link] = [:]
    /// Links without a connection, and until when they are kept.
    private var lingering: [Int: MonotonicTime] = [:]
    private var nextOrder = 0

    /// Makes a registry without links.
    ///
    /// - Parameters:
    ///   - tunnels: the networks that tunnel addresses come from.
    ///   - own: the server's own tunnel addresses, which no client may claim.
    ///   - pool: the networks behind all clients.
    ///   - bindings: what each client may speak for, by name; where it is empty every client may speak for the pool.
    ///   - shared: the part of the pool that every client may speak for although Nodes are followed; `nil` where they are not.
    package init(
        tunnels: [IPPrefix],
        own: [IPAddress],
        pool: [IPPrefix],
        bindings: [String: ClientBinding],
        followingNodesBut shared: [IPPrefix]? = nil
    ) {
        self.tunnels = tunnels
        self.own = own
        self.pool = pool
        self.bindings = bindings
        self.shared = shared ?? []
        // Before the first word of them nobody has anything.
        nodes = shared.map { _ in [:] }
    }

    /// Takes what each Node has now, by its name, which is its client's.
    ///
    /// - Returns: what the links that are up may speak for from now on.
    package mutating func follow(_ nodes: [String: [IPPrefix]]) -> [Int: RouteTable<Bool>] {
        self.nodes = nodes
        return linked.mapValues(bound(to:))
    }

    /// The Node that has an address; `nil` where nobody knows.
    package func owner(of address: IPAddress) -> String? {
        nodes?.first { $0.value.contains { $0.contains(address) } }?.key
    }

    /// Whether Nodes say who owns what.
    package var areOwnersKnown: Bool { nodes != nil }

    /// The names of the clients that are linked, by link.
    package var names: [Int: String] { links.mapValues(\.name) }

    private var linked: [Int: Link] { links.filter { !$0.value.generations.isEmpty } }

    /// Where streams can go by a link: the client's name, the networks that it serves, and what its Node has.
    package typealias StreamPath = (link: Int, name: String, networks: [IPPrefix], owned: [IPPrefix])

    /// The links that streams can take.
    package var streamPaths: [StreamPath] { paths(of: linked) }

    /// Those that went a moment ago.
    package var missingPaths: [StreamPath] { paths(of: links.filter { $0.value.generations.isEmpty }) }

    private func paths(of links: [Int: Link]) -> [StreamPath] {
        links.filter { !$0.value.streamNetworks.isEmpty }
            .map { ($0.key, $0.value.name, $0.value.streamNetworks, nodes?[$0.value.name] ?? []) }
    }

    /// The networks behind all clients, linked or not.
    package var shootNetworks: [IPPrefix] { pool + bindings.values.flatMap(Self.prefixes) }

    /// How many connections a link has.
    package func connectionCount(of link: Int) -> Int { links[link]?.generations.count ?? 0 }

    /// The link of one run of a client, if there is one.
    private func link(of name: String, session: UInt128) -> Int? {
        links.first { $0.value.name == name && $0.value.session == session }?.key
    }

    /// Whether a client has the lane of its hello here already.
    ///
    /// It renews it, or it looks for another instance behind the address and leaves again: a lane in use must not give way to that, and so
    /// the client has to go on before it is admitted.
    package func hasLane(_ hello: Hello, of name: String) -> Bool {
        link(of: name, session: hello.session).flatMap { links[$0]?.generations.values.contains(hello.lane) } == true
    }

    /// How many links there should be; `nil` where nobody said which clients there are.
    package var expectedCount: Int? { clientNames.map { max($0.count, linked.count) } }

    /// The names of all clients that there can be; `nil` where nobody said.
    package var clientNames: Set<String>? {
        nodes.map { Set($0.keys) } ?? (bindings.isEmpty ? nil : Set(bindings.keys))
    }

    /// Decides on a lane whose peer proved to be `name` and sent `hello`.
    package mutating func admit(_ name: String, _ hello: Hello, generation: UInt64) -> Admission {
        guard hello.version == Hello.currentVersion else {
            return .refused(CloseNotice(.versionMismatch, "server speaks version \(Hello.currentVersion)"))
        }
        if let link = link(of: name, session: hello.session), let known = links[link] {
            lingering[link] = nil
            guard known.generations.count < 2 * Hello.maximumLanes else {
                return .refused(CloseNotice(.overloaded, "client \(name) has \(known.generations.count) connections"))
            }
            links[link]?.generations[generation] = hello.lane
            return .accepted(link: link, bound: bound(to: known), replaced: nil)
        }
        if let problem = refusal(of: name, hello) { return .refused(problem) }
        let replaced = links.first { $0.value.name == name }?.key
        if let replaced { (links[replaced], lingering[replaced]) = (nil, nil) }
        let free = (0...Self.maximumLinks).first { links[$0] == nil && $0 != replaced }
        guard links.count < Self.maximumLinks, let link = free else {
            return .refused(CloseNotice(.overloaded, "\(Self.maximumLinks) clients are linked"))
        }
        let taken = Set(links.values.flatMap(\.addresses))
        let carries = hello.features.contains(.packets)
        let addresses = carries ? hello.addresses.filter { isBound($0, to: name) && !taken.contains($0) } : []
        nextOrder += 1
        let entry = Link(
            name: name,
            session: hello.session,
            addresses: addresses,
            networks: carries ? hello.networks : [],
            streamNetworks: hello.features.contains(.streams) ? hello.networks : [],
            order: nextOrder,
            generations: [generation: hello.lane]
        )
        links[link] = entry
        return .accepted(link: link, bound: bound(to: entry), replaced: replaced)
    }

    /// Notes that a connection ended; returns whether its link is down with it.
    ///
    /// The link keeps its number for a while, for its streams go on when the client comes back.
    package mutating func ended(_ link: Int, generation: UInt64, at now: MonotonicTime) -> Bool {
        guard links[link]?.generations.removeValue(forKey: generation) != nil else { return false }
        guard links[link]?.generations.isEmpty == true else { return false }
        lingering[link] = now + Self.lingerTime
        return true
    }

    /// How long a link that is down keeps its number; longer than streams wait for it.
    package static var lingerTime: Nanoseconds { .seconds(15) }

    /// Gives the numbers free of links that were down for too long.
    package mutating func expire(at now: MonotonicTime) {
        for (link, end) in lingering where end <= now { (links[link], lingering[link]) = (nil, nil) }
    }

    /// The rules that follow from the links that are up.
    package func policy(services: [InboundService]) -> ServerPolicy {
        var routes = RouteTable<Int>()
        // The oldest link of several that serve the same network keeps it until it goes.
        for (link, entry) in linked.sorted(by: { $0.value.order < $1.value.order }) {
            for address in entry.addresses { routes.insert(IPPrefix(host: address), link) }
            for network in served(entry) { routes.insert(network, link) }
        }
        var shoot = RouteTable<Bool>()
        for network in pool { shoot.insert(network, true) }
        for binding in bindings.values { for network in Self.prefixes(of: binding) { shoot.insert(network, true) } }
        for entry in linked.values { for address in entry.addresses { shoot.insert(IPPrefix(host: address), true) } }
        return ServerPolicy(routes: routes, shoot: shoot, services: services)
    }

    private func refusal(of name: String, _ hello: Hello) -> CloseNotice? {
        let binding = bindings[name]
        if !bindings.isEmpty, binding == nil {
            return CloseNotice(.notAuthorised, "client \(name) is not in the server's list of clients")
        }
        let networks = binding?.networks ?? pool
        for network in hello.networks where !networks.contains(where: { $0.contains(network) }) {
            return CloseNotice(.notAuthorised, "network \(network) is not bound to client \(name)")
        }
        for address in hello.addresses {
            let isOthers = bindings.contains { $0.key != name && $0.value.addresses.contains(address) }
            guard !isOthers, !own.contains(address) else {
                return CloseNotice(.notAuthorised, "address \(address) is not bound to client \(name)")
            }
        }
        return nil
    }

    /// Whether a client may have a tunnel address here; it has others for other servers, which are passed over.
    private func isBound(_ address: IPAddress, to name: String) -> Bool {
        let binding = bindings[name]
        if let binding, !binding.addresses.isEmpty { return binding.addresses.contains(address) }
        // What a Node has may be another's tomorrow, and what all share is nobody's alone.
        let allowed = nodes == nil ? tunnels + allowance(of: name) : tunnels
        return allowed.contains { $0.contains(address) }
    }

    /// What a client may speak for.
    private func allowance(of name: String) -> [IPPrefix] {
        if let nodes { return shared + (nodes[name] ?? []) }
        return bindings[name]?.networks ?? pool
    }

    /// The networks that packets are sent to over a link: what it serves, as far as it may.
    private func served(_ entry: Link) -> [IPPrefix] {
        guard nodes != nil else { return entry.networks }
        return allowance(of: entry.name).flatMap { allowed in
            entry.networks.compactMap { $0.contains(allowed) ? allowed : allowed.contains($0) ? $0 : nil }
        }
    }

    private func bound(to entry: Link) -> RouteTable<Bool> {
        var bound = RouteTable<Bool>()
        for network in allowance(of: entry.name) { bound.insert(network, true) }
        for address in entry.addresses { bound.insert(IPPrefix(host: address), true) }
        return bound
    }

    private static func prefixes(of binding: ClientBinding) -> [IPPrefix] {
        binding.networks + binding.addresses.map(IPPrefix.init(host:))
    }
}
