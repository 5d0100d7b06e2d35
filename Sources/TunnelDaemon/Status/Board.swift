import LinuxSystem
import TendrilCore
import TunnelDataPlane
import TunnelProtocol

/// What the daemon shows of itself: written by control code, read by metrics and status at any time.
final class Board: Sendable {
    /// One lane that is up.
    struct LaneEntry: Sendable {
        let index: Int
        let generation: UInt64
        let counters: LaneCounters
        let address: String
        let parameters: String
        let since: MonotonicTime
    }

    /// One link, up or wanted.
    struct LinkEntry: Sendable {
        var name: String
        var endpoint: String
        var software = ""
        var lanes: [LaneEntry] = []
        var wantedLanes = 1
        var reconnects: UInt64 = 0
        var lastError: String?
        var lastErrorAt: UInt64 = 0
        /// Figures of lanes that have ended, so that counters never go back.
        var ended: [LaneCounters.Figure: UInt64] = [:]

        /// The newest connection of each lane; while one is being replaced there are two.
        var currentLanes: [LaneEntry] {
            lanes.filter { lane in !lanes.contains { $0.index == lane.index && $0.generation > lane.generation } }
        }

        /// The shortest of the lanes' steady round trips in microseconds; `nil` before one was measured.
        var roundTrip: UInt64? { currentLanes.map { $0.counters[.steadyRoundTrip] }.filter { $0 > 0 }.min() }

        mutating func keepFigures(of lane: LaneEntry) {
            for figure in LaneCounters.Figure.allCases { ended[figure, default: 0] += lane.counters[figure] }
        }
    }

    /// Everything that changes.
    struct State: Sendable {
        var links: [Int: LinkEntry] = [:]
        var expectedLinks = 0
        /// How many Nodes are known; `nil` where they are not followed, or not heard of yet.
        var nodes: Int?
        var handshakes: [String: UInt64] = [:]
        /// Answers to CONNECT other than 200, by status.
        var egressRefusals: [Int: UInt64] = [:]
        /// Dials that went by another link after one had failed.
        var failovers: UInt64 = 0
        /// Pods' connections that were closed, for there was no stream for them.
        var podRefusals: UInt64 = 0
        var visitors = 0
        var flows = 0
        var reloads: [String: UInt64] = [:]
        var certificateExpiry: UInt64 = 0
        var lastError: String?
        /// Links that went, by name, so that their counters go on when they come back.
        private var retired: [String: LinkEntry] = [:]
        /// Of a server: the clients that there should be, as far as it knows their names.
        var knownNames: Set<String> = []

        /// What is known of those of them that have no link, in the order of their names.
        var absent: [LinkEntry] {
            knownNames.subtracting(links.values.map(\.name)).sorted()
                .map { retired[$0] ?? LinkEntry(name: $0, endpoint: "") }
        }

        /// Takes a link off the board and remembers its counters, of as many names as there may be links.
        mutating func retire(_ link: Int) {
            guard var entry = links.removeValue(forKey: link) else { return }
            for lane in entry.lanes { entry.keepFigures(of: lane) }
            entry.lanes = []
            if retired.count < ServerRegistry.maximumLinks || retired[entry.name] != nil { retired[entry.name] = entry }
        }

        /// The remembered entry of a link that is back.
        mutating func revive(_ name: String) -> LinkEntry? { retired.removeValue(forKey: name) }
    }

    let configuration: VPNConfiguration
    let identity: TunnelIdentity
    let workers: [WorkerCounters]
    let streams: [StreamCounters]
    let startedAt = Clock.unixTime()
    let pulse = Pulse(at: Clock.now())
    private let state = Guarded(State())

    init(_ configuration: VPNConfiguration, identity: TunnelIdentity, workers: [Worker]) {
        self.configuration = configuration
        self.identity = identity
        self.workers = workers.map(\.counters)
        streams = workers.map(\.streamCounters)
    }

    /// The state now.
    var snapshot: State { state.withLock { $0 } }

    /// How many streams each link carries.
    var streamCounts: [Int: UInt64] {
        state.withLock { $0.links.mapValues { $0.currentLanes.reduce(0) { $0 + $1.counters[.streams] } } }
    }

    /// Changes the state.
    func update(_ change: (inout State) -> Void) { state.withLock { change(&$0) } }

    /// A link makes progress while a heartbeat has come back within this time.
    static var progressWindow: Nanoseconds { .seconds(3) }

    /// How many links make progress, and how many there should be.
    func readiness(at now: MonotonicTime) -> (live: Int, expected: Int) {
        let state = snapshot
        let live = state.links.values.count { Self.makesProgress($0, at: now) }
        return (live, max(state.expectedLinks, live))
    }

    static func makesProgress(_ link: LinkEntry, at now: MonotonicTime) -> Bool {
        link.lanes.contains { lane in
            let echo = lane.counters[.lastEcho]
            return echo > 0 && now.nanoseconds / 1_000_000 < echo + progressWindow.milliseconds
        }
    }
}
