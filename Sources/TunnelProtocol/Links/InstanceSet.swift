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
        /// Until when connections are made with small segments, for large ones may be lost on the way.
        package var narrowUntil: MonotonicTime?
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
    }

    /// Why a link is not to be had with who answered.
    package enum Objection: Hashable, Sendable {
        /// Another link has that instance, which is called so.
        case isLinked(String)
        /// It speaks this version of the protocol.
        case speaks(UInt16)
        /// It is another instance than that of the link's other lanes.
        case isAnother

        /// What whoever answered is told.
        package var notice: CloseNotice {
            if case .speaks = self { CloseNotice(.versionMismatch) } else { CloseNotice(.duplicateInstance) }
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

    /// Whether there is an instance that a link can be for.
    package func isWanted(_ link: Int) -> Bool {
        guard !links[link].isUp else { return true }
        let known = indices.filter { links[$0].endpoint == links[link].endpoint }
        let up = known.filter { links[$0].isUp }
        guard let count = up.map({ links[$0].instances }).max() else { return links[link].replica == 0 }
        // Whichever links are up, those instances have theirs; the others' are the first of those that are down.
        return known.count { $0 < link && !links[$0].isUp } < count - up.count
    }

    /// Why a lane of a link is not to be had with a server of this name that said this hello; `nil` where it is.
    package func objection(to hello: Hello, of name: String, on link: Int) -> Objection? {
        let isLinked = indices.contains { $0 != link && links[$0].run == hello.session && links[$0].isUp }
        if isLinked { return .isLinked(self.name(name, run: hello.session, on: link)) }
        guard hello.version == Hello.currentVersion else { return .speaks(hello.version) }
        guard !links[link].isUp || links[link].run == hello.session else { return .isAnother }
        return nil
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
        links[link].addresses = hello.addresses
        links[link].carriesPackets = hello.features.contains(.packets)
        links[link].instances = hello.instances
        let endpoint = links[link].endpoint
        let known = links.count { $0.endpoint == endpoint }
        for replica in known..<max(hello.instances, known) {
            links.append(Link(endpoint: endpoint, replica: replica, machine: LinkMachine(at: now)))
        }
    }

    private func name(_ name: String, run: UInt128, on link: Int) -> String {
        let isTaken = indices.contains {
            $0 != link && links[$0].instance == name && links[$0].run != run && links[$0].isUp
        }
        return isTaken ? "\(name)-\(String(run >> 112, radix: 16))" : name
    }
}
