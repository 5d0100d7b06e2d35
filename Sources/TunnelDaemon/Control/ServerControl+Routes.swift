import LinuxSystem
import Logging
import Observability
import TendrilCore
import TunnelDataPlane
import TunnelProtocol

/// Which client leads where.
extension ServerControl {
    var streamRoutes: StreamRoutes {
        let board = core.board.snapshot
        func path(_ known: ServerRegistry.StreamPath) -> StreamRoutes.Path {
            StreamRoutes.Path(
                link: known.link,
                name: known.name,
                networks: known.networks,
                owned: known.owned,
                roundTrip: board.links[known.link]?.roundTrip,
                isRetiring: core.isRetiring(known.link)
            )
        }
        return StreamRoutes(
            shoot: registry.shootNetworks,
            paths: registry.streamPaths.map(path),
            missing: registry.missingPaths.map(path),
            names: registry.clientNames,
            outside: outside,
            areOwnersKnown: registry.areOwnersKnown
        )
    }

    func absence(for target: StreamTarget, at now: MonotonicTime) -> String {
        let linked = Set(registry.streamPaths.map(\.name))
        let owner: String? = if case .address(let address, _) = target { registry.owner(of: address) } else { nil }
        // Where nobody knows whose it is, the one that was heard last is the one that a person looks for first.
        let down = downSince.filter { owner == nil ? !linked.contains($0.key) : $0.key == owner }
            .max { $0.value.at < $1.value.at }
        guard let down else {
            if let owner, !linked.contains(owner) { return "node \(owner) has not linked yet" }
            return linked.isEmpty ? "no node has linked yet" : "no node serves \(target)"
        }
        let seconds = now.since(down.value.at).seconds
        return "node \(down.key): link down \(seconds)s, last heard \(UTC.timeOfDay(down.value.unixTime))"
    }

    /// How many links there should be: one for each client that is known by name, or else for each that is linked or went not long
    /// ago.
    var expectedLinks: Int { registry.expectedCount ?? Set(registry.names.values).union(downSince.keys).count }

    /// The clients that there should be: all that are known by name, or else those that went not long ago.
    var knownNames: Set<String> { registry.clientNames ?? Set(downSince.keys) }

    /// Takes what is new of Nodes: who may speak for what from now on.
    func heard(_ news: NodeFollower.News, at now: MonotonicTime) {
        switch news {
        case .failed(let reason):
            core.limiter.log("cannot follow Nodes", ["reason": "\(reason)"], to: core.logger, at: now)
        case .known(let nodes):
            for (link, bound) in registry.follow(nodes) {
                for worker in core.workers { worker.mailbox.post(.bind(link: link, bound)) }
            }
            publish()
            egressDoor?.pathsChanged()
            let (expected, known) = (expectedLinks, knownNames)
            core.board.update { ($0.expectedLinks, $0.nodes, $0.knownNames) = (expected, nodes.count, known) }
            core.logger.info("Nodes", metadata: ["count": "\(nodes.count)"])
        }
    }
}
