import LinuxSystem
import Observability
import TendrilCore
import TunnelDataPlane
import TunnelProtocol

/// The daemon's metrics; docs/operations.md lists them.
enum Metrics {
    typealias Sample = MetricsText.Sample

    /// Renders everything that a scrape shows.
    static func text(_ board: Board) -> String {
        let state = board.snapshot
        var text = MetricsText()
        addProcess(board, state, to: &text)
        addLinks(state, to: &text)
        addLanes(state, to: &text)
        addHistogram(
            "tendril_vpn_echo_seconds",
            "Round trips of heartbeats on all lanes, behind whatever else a lane carries.",
            board.workers.map(\.echoes),
            to: &text
        )
        addDrops(board, to: &text)
        addStreams(board, state, to: &text)
        return text.text
    }

    private static func addProcess(_ board: Board, _ state: Board.State, to text: inout MetricsText) {
        let (live, expected) = board.readiness(at: Clock.now())
        text.add(
            "tendril_vpn_start_time_seconds",
            .gauge,
            "When the daemon started, since 1970.",
            [Sample(board.startedAt)]
        )
        text.add(
            "tendril_vpn_links",
            .gauge,
            "Links by whether a heartbeat came back within 3 s.",
            [
                Sample(live, [("state", "live")]), Sample(expected - live, [("state", "missing")]),
            ]
        )
        if let nodes = state.nodes {
            text.add("tendril_vpn_nodes", .gauge, "Nodes that are followed.", [Sample(nodes)])
        }
        text.add(
            "tendril_vpn_handshakes_total",
            .counter,
            "Connections by what became of them.",
            Sample.each(of: state.handshakes, by: "result")
        )
        text.add(
            "tendril_vpn_visitors",
            .gauge,
            "Connections that have not shown a gate token yet.",
            [Sample(state.visitors)]
        )
        text.add(
            "tendril_vpn_flows",
            .gauge,
            "Flows whose answers are let in, counted every five seconds.",
            [Sample(state.flows)]
        )
        text.add(
            "tendril_vpn_reloads_total",
            .counter,
            "Reloads of certificates and keys by result.",
            Sample.each(of: state.reloads, by: "result")
        )
        text.add(
            "tendril_vpn_certificate_expiry_seconds",
            .gauge,
            "When this side's certificate expires, since 1970.",
            [Sample(state.certificateExpiry)]
        )
        text.add(
            "tendril_vpn_worker_turns_total",
            .counter,
            "Turns of the data plane's threads.",
            board.workers.enumerated().map { Sample($1.turnCount, [("worker", "\($0)")]) }
        )
        text.add(
            "tendril_vpn_log_lines_lost_total",
            .counter,
            "Log lines that were not written, for nobody took them.",
            [Sample(LogSink.standardError.lost)]
        )
    }

    private static func addLinks(_ state: Board.State, to text: inout MetricsText) {
        let links = state.links.sorted { $0.key < $1.key }.map(\.value)
        func add(_ name: String, _ kind: MetricsText.Kind, _ help: String, _ value: (Board.LinkEntry) -> UInt64) {
            text.add(name, kind, help, links.map { Sample(value($0), [("link", $0.name)]) })
        }
        add("tendril_vpn_link_lanes", .gauge, "Lanes that are up.") { UInt64($0.currentLanes.count) }
        add("tendril_vpn_link_lanes_wanted", .gauge, "Lanes that should be up.") { UInt64($0.wantedLanes) }
        add("tendril_vpn_link_reconnects_total", .counter, "Connections that ended and were made again.") {
            $0.reconnects
        }
        for metric in linkCounters {
            add("tendril_vpn_link_\(metric.name)_total", .counter, metric.help) { total($0, metric.figure) }
        }
    }

    private static let linkCounters: [(figure: LaneCounters.Figure, name: String, help: String)] = [
        (.sentBytes, "sent_bytes", "Bytes sent, TLS included."),
        (.receivedBytes, "received_bytes", "Bytes received, TLS included."),
        (.sentPackets, "sent_packets", "Packets and super-packets sent."),
        (.receivedPackets, "received_packets", "Packets and super-packets received."),
        (.retransmits, "tcp_retransmits", "Segments that the kernel sent again."),
        (.congestionMarks, "congestion_marks", "Packets marked with ECN by CoDel."),
        (.congestionTrims, "congestion_trims", "Super-packets that CoDel took a segment from."),
    ]

    /// A link's figure over all its lanes, also those that have ended.
    static func total(_ link: Board.LinkEntry, _ figure: LaneCounters.Figure) -> UInt64 {
        link.lanes.reduce(link.ended[figure] ?? 0) { $0 + $1.counters[figure] }
    }

    private static func addLanes(_ state: Board.State, to text: inout MetricsText) {
        let lanes = state.links.sorted { $0.key < $1.key }.flatMap { _, link in
            link.currentLanes.map { (link.name, $0) }
        }
        func add(
            _ name: String,
            _ kind: MetricsText.Kind,
            _ help: String,
            _ value: (LaneCounters) -> Double
        ) {
            text.add(
                name,
                kind,
                help,
                lanes.map { Sample(value($1.counters), [("link", $0), ("lane", "\($1.index)")]) }
            )
        }
        add("tendril_vpn_lane_sent_bytes_total", .counter, "Bytes sent, TLS included.") { Double($0[.sentBytes]) }
        add("tendril_vpn_lane_received_bytes_total", .counter, "Bytes received, TLS included.") {
            Double($0[.receivedBytes])
        }
        add("tendril_vpn_lane_sent_packets_total", .counter, "Packets sent.") { Double($0[.sentPackets]) }
        add("tendril_vpn_lane_received_packets_total", .counter, "Packets received.") { Double($0[.receivedPackets]) }
        add("tendril_vpn_lane_round_trip_seconds", .gauge, "Round trip of the last heartbeat.") {
            Double($0[.roundTrip]) / 1e6
        }
        add("tendril_vpn_lane_queue_bytes", .gauge, "Bytes that wait before the lane.") { Double($0[.queueBytes]) }
        add("tendril_vpn_lane_queue_packets", .gauge, "Packets that wait before the lane.") {
            Double($0[.queuePackets])
        }
        add("tendril_vpn_lane_queue_sojourn_seconds", .gauge, "How long packets wait before the lane, averaged.") {
            Double($0[.queueSojourn]) / 1e6
        }
        add("tendril_vpn_lane_tcp_retransmits_total", .counter, "Segments that the kernel sent again.") {
            Double($0[.retransmits])
        }
    }

    private static func addDrops(_ board: Board, to text: inout MetricsText) {
        text.add(
            "tendril_vpn_dropped_packets_total",
            .counter,
            "Packets that were not carried, by reason.",
            DropReason.allCases.map { reason in
                Sample(board.workers.reduce(0) { $0 + $1[reason] }, [("reason", reason.label)])
            }
        )
    }

    private static func addStreams(_ board: Board, _ state: Board.State, to text: inout MetricsText) {
        func sum(_ figure: StreamCounters.Figure) -> UInt64 { board.streams.reduce(0) { $0 + $1[figure] } }
        func add(_ name: String, _ kind: MetricsText.Kind, _ help: String, _ value: UInt64) {
            text.add("tendril_vpn_streams_\(name)", kind, help, [Sample(value)])
        }
        add("active", .gauge, "Streams that are open or being opened.", sum(.active))
        add("opened_total", .counter, "Streams that were opened.", board.streams.reduce(0) { $0 + $1.openings.count })
        add("broken_total", .counter, "Streams that ended before their time.", sum(.broken))
        add("resumed_total", .counter, "Streams that went on over another connection.", sum(.resumed))
        add("held_bytes", .gauge, "Memory that waiting bytes of streams take.", sum(.heldBytes))
        text.add(
            "tendril_vpn_streams_refused_total",
            .counter,
            "Streams that could not be opened, by reason.",
            StreamReset.Reason.allCases.map { reason in
                Sample(board.streams.reduce(0) { $0 + $1[reason] }, [("reason", reason.label)])
            }
        )
        text.add(
            "tendril_vpn_egress_refusals_total",
            .counter,
            "Answers to CONNECT other than 200, by status.",
            Sample.each(of: state.egressRefusals, by: "status")
        )
        text.add(
            "tendril_vpn_stream_failovers_total",
            .counter,
            "Dials that went by another link after one had failed.",
            [Sample(state.failovers)]
        )
        text.add(
            "tendril_vpn_pod_refusals_total",
            .counter,
            "Pods' connections to the API server that were closed, for there was no stream for them.",
            [Sample(state.podRefusals)]
        )
        addHistogram(
            "tendril_vpn_stream_open_seconds",
            "How long opening a stream took, from the request to the target's answer.",
            board.streams.map(\.openings),
            to: &text
        )
    }

    private static func addHistogram(
        _ name: String,
        _ help: String,
        _ parts: [DurationHistogram],
        to text: inout MetricsText
    ) {
        let count = parts.reduce(0) { $0 + $1.count }
        let buckets = DurationHistogram.bounds.enumerated().map { index, bound in
            Sample(parts.reduce(0) { $0 + $1.count(within: index) }, [("le", "\(Double(bound) / 1000)")])
        }
        text.addHistogram(
            name,
            help,
            buckets: buckets + [Sample(count, [("le", "+Inf")])],
            sum: Double(parts.reduce(0) { $0 + $1.microseconds }) / 1e6,
            count: count
        )
    }
}
