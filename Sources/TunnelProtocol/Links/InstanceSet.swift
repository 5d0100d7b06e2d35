package import TendrilCore

/// The links of a client: to each instance of each server in its list; no input, output or clock.
///
/// Several instances of a server may stand behind one endpoint, and each attempt lead to any of them. Each says how many there are, and
/// they are told apart by their runs.
package struct InstanceSet: Sendable {
    /// A link, up or looked for.
    package struct Link: Sendable {
        package let endpoint: Endpoint
        /// Which of the instances behind the endpoint it may be: 0 for the one that was configured.
        package let replica: Int
        package var machine: LinkMachine
        /// How often it was dialled.
        package var attempts = 0
        /// Until when connections are made with small segments.
        fileprivate var narrowUntil: MonotonicTime?
        /// When its last lane ended; `nil` while it is up, and before it was.
        package fileprivate(set) var lostAt: MonotonicTime?
        /// The run of the server that the link's lanes lead to.
        package fileprivate(set) var run: UInt128?
        package fileprivate(set) var carriesPackets = true
        /// What the instance is called: as its certificate says, with a mark of its run where another link has that name.
        package fileprivate(set) var instance: String?
        /// The server's own tunnel addresses.
        package fileprivate(set) var addresses: [IPAddress] = []
        /// How many instances there are behind the endpoint, as this one said last.
        fileprivate var instances = 1

        package var isUp: Bool { machine.liveCount > 0 }

        private static var narrowTime: Nanoseconds { .seconds(600) }

        /// Whether connections are to be made with small segments, for large ones may be lost on the way.
        package func isNarrow(at now: MonotonicTime) -> Bool { narrowUntil.map { now < $0 } ?? false }

        /// Notes that a path carried nothing any more although TCP stood: large segments may be lost on it.
        ///
        /// - Parameters:
        ///   - isAlsoNarrow: whether not even a handshake in small segments got through, so that their size is not why.
        ///   - now: the time.
        package mutating func fellSilent(isAlsoNarrow: Bool, at now: MonotonicTime) {
            narrowUntil = isAlsoNarrow ? nil : now + Self.narrowTime
        }

        /// Whether it was lost less than so long ago.
        fileprivate func wasLost(within time: Nanoseconds, before now: MonotonicTime) -> Bool {
            lostAt.map { now < $0 + time } ?? false
        }

        /// Whether its streams wait for it.
        fileprivate func isAwaited(at now: MonotonicTime) -> Bool {
            wasLost(within: StreamMachine.resumeTime, before: now)
        }
    }

    /// Why a link is not to be had with who answered.
    package enum Objection: Hashable, Sendable {
        /// Another link has that instance, which is called so.
        case isLinked(String)
        /// It speaks this version of the protocol.
        case speaks(UInt16)
        /// It is another instance than that of the link's other lanes.
        case isAnother
        /// Another link had that instance a moment ago, and its streams wait for it.
        case isAwaited

        /// What whoever answered is told.
        package var notice: CloseNotice {
            switch self {
            case .speaks: CloseNotice(.versionMismatch)
            case .isAwaited: CloseNotice(.duplicateInstance, "another link waits for it")
            case .isLinked, .isAnother: CloseNotice(.duplicateInstance)
            }
        }

        /// Whether another instance may answer the next time.
        package var isElsewhere: Bool { if case .speaks = self { false } else { true } }
    }

    /// All of them; a link keeps its number.
    package private(set) var links: [Link]

    /// Begins with one link for each endpoint.
    package init(_ endpoints: [Endpoint], at now: MonotonicTime) {
        links = endpoints.map { Link(endpoint: $0, replica: 0, machine: LinkMachine(at: now)) }
    }

    package var indices: Range<Int> { links.indices }

    package subscript(link: Int) -> Link {
        get { links[link] }
        set { links[link] = newValue }
    }

    /// The links that are up or looked for, in the order of their numbers.
    package func wanted(at now: MonotonicTime) -> [Int] { indices.filter { isWanted($0, at: now) } }

    /// The wanted links that went a moment ago, and may be back in another.
    package func missing(at now: MonotonicTime) -> [Int] {
        wanted(at: now).filter { links[$0].wasLost(within: ServerRegistry.lingerTime, before: now) }
    }

    /// When links next cease to be wanted without anything else that happens.
    package func lapse(after now: MonotonicTime) -> MonotonicTime? {
        links.lazy.compactMap(\.lostAt).map { $0 + StreamMachine.resumeTime }.filter { $0 > now }.min()
    }

    /// Whether streams wait for a link, or there is an instance that it can be for.
    package func isWanted(_ link: Int, at now: MonotonicTime) -> Bool {
        guard !links[link].isUp, !links[link].isAwaited(at: now) else { return true }
        let known = indices.filter { links[$0].endpoint == links[link].endpoint }
        let up = known.filter { links[$0].isUp }
        // Where none is up there is one instance at least.
        let count = up.map { links[$0].instances }.max() ?? 1
        // Whichever links are up, those instances have theirs; the others' are those that went last.
        return known.count { !links[$0].isUp && isBefore($0, link) } < count - up.count
    }

    /// Which of two links that are down is looked for first: the one that went later, or else has the lower number.
    private func isBefore(_ one: Int, _ other: Int) -> Bool {
        let (first, second) = (links[one].lostAt, links[other].lostAt)
        guard first != second else { return one < other }
        guard let first, let second else { return second == nil }
        return first > second
    }

    /// Why a lane of a link is not to be had with a server of this name that said this hello; `nil` where it is.
    package func objection(to hello: Hello, of name: String, on link: Int, at now: MonotonicTime) -> Objection? {
        let others = indices.filter { $0 != link && links[$0].run == hello.session }
        if others.contains(where: { links[$0].isUp }) {
            return .isLinked(self.name(name, run: hello.session, on: link))
        }
        guard hello.version == Hello.currentVersion else { return .speaks(hello.version) }
        guard !links[link].isUp || links[link].run == hello.session else { return .isAnother }
        // Whatever this endpoint leads to the other link finds as well.
        let isAwaited = others.contains { links[$0].endpoint == links[link].endpoint && links[$0].isAwaited(at: now) }
        return isAwaited ? .isAwaited : nil
    }

    /// Notes that a lane is up; from then on there is a link for each of the instances that the server says there are.
    ///
    /// - Parameters:
    ///   - lane: of the link.
    ///   - link: to which there was no objection.
    ///   - generation: of the lane's connection.
    ///   - hello: what the server said.
    ///   - name: what its certificate calls it.
    ///   - lanes: how many lanes the link is to have.
    ///   - now: the time.
    package mutating func opened(
        _ lane: Int,
        of link: Int,
        generation: UInt64,
        _ hello: Hello,
        of name: String,
        lanes: Int,
        at now: MonotonicTime
    ) {
        links[link].instance = self.name(name, run: hello.session, on: link)
        links[link].machine.opened(lane, generation: generation, lanes: lanes, at: now)
        links[link].run = hello.session
        links[link].lostAt = nil
        links[link].addresses = hello.addresses
        links[link].carriesPackets = hello.features.contains(.packets)
        links[link].instances = hello.instances
        let endpoint = links[link].endpoint
        let known = links.count { $0.endpoint == endpoint }
        for replica in known..<max(hello.instances, known) {
            links.append(Link(endpoint: endpoint, replica: replica, machine: LinkMachine(at: now)))
        }
    }

    /// Notes that a lane's connection ended.
    ///
    /// - Parameters:
    ///   - lane: of the link.
    ///   - link: the lane's.
    ///   - generation: of the connection; one that was replaced changes nothing.
    ///   - now: the time.
    ///   - random: evenly spread over all values of 64 bits.
    package mutating func ended(
        _ lane: Int,
        of link: Int,
        generation: UInt64,
        at now: MonotonicTime,
        random: UInt64
    ) {
        let wasUp = links[link].isUp
        links[link].machine.ended(lane, generation: generation, at: now, random: random)
        if wasUp, !links[link].isUp { links[link].lostAt = now }
    }

    private func name(_ name: String, run: UInt128, on link: Int) -> String {
        let isTaken = indices.contains {
            $0 != link && links[$0].instance == name && links[$0].run != run && links[$0].isUp
        }
        return isTaken ? "\(name)-\(String(run >> 112, radix: 16))" : name
    }
}
