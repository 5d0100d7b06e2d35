import FoundationEssentials
import LinuxSystem
import Observability
import TendrilCore
import TunnelDataPlane
import TunnelProtocol

/// What `tendril-vpn status` shows; its JSON is stable within an API version.
package struct StatusReport: Codable, Sendable {
    package struct Lane: Codable, Sendable {
        package let lane: Int
        package let address: String
        package let tls: String
        package let upSeconds: UInt64
        /// In microseconds.
        package let roundTrip: UInt64
        package let queueBytes: UInt64
        package let queuePackets: UInt64
        /// In microseconds.
        package let queueSojourn: UInt64
        /// In bytes per second.
        package let sendRate: UInt64
        package let receiveRate: UInt64
        package let sentBytes: UInt64
        package let receivedBytes: UInt64
        package let retransmits: UInt64
    }

    package struct Link: Codable, Sendable {
        package let name: String
        package let endpoint: String
        package let state: String
        package let software: String
        package let lanesUp: Int
        package let lanesWanted: Int
        package let reconnects: UInt64
        package let lastError: String?
        /// Seconds since 1970.
        package let lastErrorAt: UInt64?
        package let lanes: [Lane]
    }

    package struct Streams: Codable, Sendable {
        package let active: UInt64
        package let opened: UInt64
        /// Ended before their time.
        package let broken: UInt64
        /// Went on over another connection.
        package let resumed: UInt64
        /// The memory that what waits takes.
        package let heldBytes: UInt64
        /// Could not be opened, by reason.
        package let refused: [String: UInt64]
    }

    package let apiVersion: String
    package let kind: String
    package let version: String
    package let role: String
    package let identity: String
    package let tun: String?
    package let startedAt: UInt64
    package let certificateExpiry: UInt64
    package let linksLive: Int
    package let linksExpected: Int
    package let links: [Link]
    /// How many Nodes are known, where a server follows them.
    package let nodes: Int?
    package let drops: [String: UInt64]
    package let streams: Streams
    /// The last lines that the daemon logged.
    package let log: [String]
    package let handshakes: [String: UInt64]
    package let lastError: String?

    init(_ board: Board, at now: MonotonicTime) {
        let state = board.snapshot
        let readiness = board.readiness(at: now)
        apiVersion = ConfigurationFile.apiVersion
        kind = "Status"
        version = Version.text
        role = board.identity.role.rawValue
        identity = board.identity.description
        tun = board.configuration.packets ? board.configuration.tun : nil
        startedAt = board.startedAt
        certificateExpiry = state.certificateExpiry
        (linksLive, linksExpected) = (readiness.live, readiness.expected)
        links = (state.links.sorted { $0.key < $1.key }.map(\.value) + state.absent).map { Link($0, at: now) }
        nodes = state.nodes
        drops = Dictionary(
            uniqueKeysWithValues: DropReason.allCases.compactMap { reason in
                let count = board.workers.reduce(0) { $0 + $1[reason] }
                return count > 0 ? (reason.label, count) : nil
            }
        )
        streams = Streams(board.streams)
        log = TunnelDaemon.recentLines.lines
        handshakes = state.handshakes
        lastError = state.lastError
    }

    /// The report as JSON with sorted keys, in printable ASCII: what a peer has written does nothing to a terminal.
    package func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let bytes = try encoder.encode(self)
        let text = String(decoding: bytes, as: UTF8.self)
        return bytes.allSatisfy { Self.isPlain(UInt16($0)) } ? text : text.utf16.map(Self.escaped).joined()
    }

    private static func isPlain(_ unit: UInt16) -> Bool { unit == 0x0A || (0x20...0x7E).contains(unit) }

    /// A unit of UTF-16 as it may stand in a string of JSON (RFC 8259, section 7), beside which nothing needs this.
    private static func escaped(_ unit: UInt16) -> String {
        if isPlain(unit) { return String(decoding: [unit], as: UTF16.self) }
        return "\\u" + String(UInt32(unit) + 0x10000, radix: 16).dropFirst()
    }

    /// Reads what a daemon answered.
    package init(json bytes: [UInt8]) throws { self = try JSONDecoder().decode(Self.self, from: Data(bytes)) }
}

extension StatusReport.Link {
    init(_ entry: Board.LinkEntry, at now: MonotonicTime) {
        name = entry.name
        endpoint = entry.endpoint
        state = Board.makesProgress(entry, at: now) ? "up" : entry.lanes.isEmpty ? "down" : "opening"
        software = entry.software
        lanesUp = entry.currentLanes.count
        lanesWanted = entry.wantedLanes
        reconnects = entry.reconnects
        lastError = entry.lastError
        lastErrorAt = entry.lastError == nil ? nil : entry.lastErrorAt
        lanes = entry.currentLanes.sorted { $0.index < $1.index }.map { StatusReport.Lane($0, at: now) }
    }
}

extension StatusReport.Lane {
    init(_ entry: Board.LaneEntry, at now: MonotonicTime) {
        let counters = entry.counters
        lane = entry.index
        address = entry.address
        tls = entry.parameters
        upSeconds = now.since(entry.since).seconds
        roundTrip = counters[.roundTrip]
        queueBytes = counters[.queueBytes]
        queuePackets = counters[.queuePackets]
        queueSojourn = counters[.queueSojourn]
        sendRate = counters[.sendRate]
        receiveRate = counters[.receiveRate]
        sentBytes = counters[.sentBytes]
        receivedBytes = counters[.receivedBytes]
        retransmits = counters[.retransmits]
    }
}

extension StatusReport.Streams {
    init(_ counters: [StreamCounters]) {
        func sum(_ figure: StreamCounters.Figure) -> UInt64 { counters.reduce(0) { $0 + $1[figure] } }
        (active, broken) = (sum(.active), sum(.broken))
        opened = counters.reduce(0) { $0 + $1.openings.count }
        (resumed, heldBytes) = (sum(.resumed), sum(.heldBytes))
        refused = Dictionary(
            uniqueKeysWithValues: StreamReset.Reason.allCases.compactMap { reason in
                let count = counters.reduce(0) { $0 + $1[reason] }
                return count > 0 ? (reason.label, count) : nil
            }
        )
    }
}
