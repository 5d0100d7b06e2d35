package import TendrilCore

/// Which links a server's streams can take to a target, without input, output or a clock of its own.
package struct StreamRoutes: Sendable {
    /// A link that is up, or was a moment ago.
    package struct Path: Sendable {
        package let link: Int
        /// The client's name, which is its node's.
        package let name: String
        /// The networks that the client serves, as far as its identity may.
        package let networks: [IPPrefix]
        /// The part of them that is its Node's own; empty where Nodes are not followed.
        package let owned: [IPPrefix]
        /// In microseconds, as ``SteadyRoundTrip`` has it; `nil` before one was measured.
        package let roundTrip: UInt64?
        /// Whether the client is about to end, and serves only what nobody else does.
        package let isRetiring: Bool

        package init(
            link: Int,
            name: String,
            networks: [IPPrefix],
            owned: [IPPrefix] = [],
            roundTrip: UInt64?,
            isRetiring: Bool = false
        ) {
            (self.link, self.name, self.networks, self.owned) = (link, name, networks, owned)
            (self.roundTrip, self.isRetiring) = (roundTrip, isRetiring)
        }
    }

    /// Paths that are by no more than this slower than the best, in microseconds, take turns with it.
    private static var margin: UInt64 { 2000 }

    /// The networks behind all clients, linked or not: nothing else is a target.
    package let shoot: [IPPrefix]
    /// The links that are up.
    package let paths: [Path]
    /// Those that went a moment ago, and may be back in another.
    private let missing: [Path]
    /// Whether Nodes say who owns what; a client's own words then put it before nobody.
    private let areOwnersKnown: Bool

    /// The nodes that can be asked for by name; `nil` where nobody knows them.
    private let names: Set<String>?
    /// What can be asked for by name and port although it is no node: any client leads there.
    private let outside: Set<StreamTarget>

    package init(
        shoot: [IPPrefix],
        paths: [Path],
        missing: [Path] = [],
        names: Set<String>? = nil,
        outside: Set<StreamTarget> = [],
        areOwnersKnown: Bool = false
    ) {
        (self.shoot, self.paths, self.missing) = (shoot, paths, missing)
        (self.names, self.outside, self.areOwnersKnown) = (names, outside, areOwnersKnown)
    }

    /// Whether a target is one that streams lead to.
    package func refusal(of target: StreamTarget) -> HTTPRefusal? {
        switch target {
        case .address(let address, _):
            guard !address.isNeverATarget else { return HTTPRefusal(403, "\(address) is no target of any stream") }
            guard shoot.contains(where: { $0.contains(address) }) else {
                return HTTPRefusal(403, "\(address) is in none of the shoot's networks")
            }
            return nil
        // The far end resolves it, and judges what it stands for.
        case .name(let name, _):
            guard outside.contains(target) || (names?.contains(name) ?? true) else {
                return HTTPRefusal(403, "\(name) is no node of the shoot")
            }
            return nil
        case .service(let name): return HTTPRefusal(403, "\(name) is no target")
        }
    }

    /// Whether a target may be reached on another path than the one on which this came of it.
    ///
    /// A rule is not tried elsewhere, but where clients' rules differ: one that has not started anew yet does not know what is named
    /// besides the shoot's networks, and another one may.
    package func mayWorkElsewhere(_ reset: StreamReset, for target: StreamTarget) -> Bool {
        reset.reason.mayWorkElsewhere || reset.reason == .forbidden && outside.contains(target)
    }

    /// The links that lead to a target, the best first: the owner of the address or name, then whoever reaches it, the
    /// nearest first.
    ///
    /// Whoever is about to end comes behind all others.
    ///
    /// - Parameters:
    ///   - target: was not refused.
    ///   - turn: who is first among equals.
    /// - Returns: none where no link leads there.
    package func candidates(for target: StreamTarget, turn: Int) -> [Int] {
        let ranked = paths.compactMap { path -> (link: Int, rank: Int, roundTrip: UInt64)? in
            rank(of: path, for: target).map { (path.link, $0, path.roundTrip ?? .max) }
        }
        let ordered = ranked.sorted { ($0.rank, $1.roundTrip, $1.link) > ($1.rank, $0.roundTrip, $0.link) }
        guard let best = ordered.first else { return [] }
        let equals = ordered.prefix { $0.rank == best.rank && $0.roundTrip - best.roundTrip <= Self.margin }.count
        return ordered.indices.map { index in
            ordered[index < equals ? (index + turn % equals) % equals : index].link
        }
    }

    /// Whether a link that leads to a target, and was not tried, may be back in a moment.
    package func isAwaited(for target: StreamTarget, besides tried: Set<Int>) -> Bool {
        missing.contains { !tried.contains($0.link) && rank(of: $0, for: target) != nil }
    }

    /// More than a path's fitness can be: the longest network has a length of 128 bits.
    private static var beyondFitness: Int { 129 }

    /// How well a path fits, worse than all others where its client is about to end; `nil` where it leads elsewhere.
    private func rank(of path: Path, for target: StreamTarget) -> Int? {
        fitness(of: path, for: target).map { path.isRetiring ? $0 - Self.beyondFitness : $0 }
    }

    /// How well a path fits, as long as its client lasts: from 0 on.
    ///
    /// Where Nodes are followed the address's own goes before all others. Else it is the length of the longest network that
    /// holds the address.
    private func fitness(of path: Path, for target: StreamTarget) -> Int? {
        switch target {
        case .address(let address, _):
            let longest = path.networks.filter { $0.contains(address) }.map(\.length).max()
            guard areOwnersKnown else { return longest }
            return longest.map { _ in path.owned.contains { $0.contains(address) } ? 1 : 0 }
        case .name(let name, _): return path.name == name ? 1 : 0
        case .service: return nil
        }
    }
}
