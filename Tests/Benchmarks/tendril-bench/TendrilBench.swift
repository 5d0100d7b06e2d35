import ArgumentParser

/// The workloads of `make bench`; each prints one JSON object.
@main
struct TendrilBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tendril-bench",
        abstract: "Workloads and a WAN for measuring tunnels. Use it only in network namespaces of your own.",
        subcommands: [
            EchoCommand.self, RequestResponseCommand.self, ConnectionRateCommand.self, BlastCommand.self,
            SinkCommand.self, AwaitEchoCommand.self, FloodCommand.self, IdleCommand.self, DripCommand.self,
            TLSStreamCommand.self, WANCommand.self, BulkServerCommand.self, BulkCommand.self, IdleStreamsCommand.self,
            ConnectProxyCommand.self, CrowdCommand.self,
        ]
    )
}
