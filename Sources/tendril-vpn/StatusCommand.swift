import ArgumentParser
import CommandSupport
import Glibc
import LinuxSystem
import TendrilCore
import TunnelDaemon

/// The command `tendril-vpn status`.
struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Ask a running daemon for its links, lanes and counters.",
        discussion: """
            Exits with 0 when a link is live or a peer has answered, with 1 when no link is, and with 69 when no daemon answers.
            """
    )

    @Option(
        name: .long,
        help: "The daemon's UNIX socket (default: that of the server or client that runs here).",
        completion: .file()
    )
    var socket: String?

    @Option(
        name: .long,
        help: "On a server: the client whose status and last log lines are shown, asked over its link."
    )
    var peer: String?

    @Option(name: .shortAndLong, help: "table or json.")
    var output = StatusFormat.table

    func run() throws {
        let socket = try socket ?? defaultSocket
        let report = try orEnd(with: .unavailable) {
            try peer.map { try TunnelDaemon.status(ofPeer: $0, socket: socket) }
                ?? TunnelDaemon.status(socket: socket)
        }
        switch output {
        case .table:
            let lines = peer == nil ? 0 : report.log.count
            print(StatusTable.text(report, lines: lines, at: Clock.unixTime()))
        case .json: print(try report.json())
        }
        // The link that a peer answers over is live, though after a reconnect the peer may not know yet.
        if report.linksLive == 0, peer == nil { throw ExitCode(1) }
    }

    private var defaultSocket: String {
        get throws {
            let paths = TunnelIdentity.Role.allCases.map(VPNConfiguration.defaultSocket)
            guard let path = paths.first(where: { access($0, F_OK) == 0 }) else {
                let places = paths.joined(separator: " nor ")
                throw Failure(
                    "no daemon runs here: neither \(places) is there; one with another socket: --socket",
                    exitCode: .unavailable
                )
            }
            return path
        }
    }
}
