import ArgumentParser
import ClusterModel
import CommandSupport
import KubernetesClient
import LinuxSystem
import ShootPlan
import TendrilCore

/// The command `tendril vpn`.
struct VPNCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vpn",
        abstract: "The link between a shoot's control plane and its nodes.",
        subcommands: [VPNStatusCommand.self]
    )
}

/// How a node is reached over the link.
struct LinkLine: Codable, Sendable {
    let node: String
    let isUp: Bool
    /// From the question to the kubelet's answer through the API server and the link.
    let milliseconds: Double?
    let cause: String?
}

/// The command `tendril vpn status`.
struct VPNStatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Ask every node's kubelet over the link, and show how long it took, or why nothing came.",
        discussion: """
            The first question opens a connection. Ends with 69 where a node is not reached, or where there is none although there \
            should be.
            """
    )
    /// How many nodes are asked at the same time.
    private static let breadth = 8

    @OptionGroup var options: ShootStatusOptions

    func run() async throws {
        let (nodes, shoot, client) = try await options.ask { (client) async throws(APIError) in
            try await client.list(Node.self).items.map(\.name).sorted()
        }
        var lines: [LinkLine] = []
        await withTaskGroup(of: LinkLine.self) { group in
            for (index, node) in nodes.enumerated() {
                if index >= Self.breadth, let line = await group.next() { lines.append(line) }
                group.addTask { await Self.ask(node, client) }
            }
            for await line in group { lines.append(line) }
        }
        lines.sort { $0.node < $1.node }
        print(try options.output.text(lines) { table(lines) }, terminator: "")
        if lines.contains(where: { !$0.isUp }) { throw ExitCode(Failure.Code.unavailable.value) }
        // A shoot without machines has no link either.
        if nodes.isEmpty, !MachineLine.missing(shoot, beside: []).isEmpty {
            let reason = "shoot \(shoot.key) has no nodes; why: tendril node status \(shoot.name)"
            throw Failure(reason, exitCode: .unavailable)
        }
    }

    /// The API server reaches a kubelet only over the link.
    private static func ask(_ node: String, _ shoot: KubernetesClient) async -> LinkLine {
        let path = "/api/v1/nodes/\(ResourceKind.encoded(node))/proxy/healthz"
        do throws(APIError) {
            _ = try await shoot.text(path)
            let start = Clock.now()
            _ = try await shoot.text(path)
            let tenths = Clock.now().since(start).value / 100_000
            return LinkLine(node: node, isUp: true, milliseconds: Double(tenths) / 10, cause: nil)
        } catch {
            return LinkLine(node: node, isUp: false, milliseconds: nil, cause: "\(error)")
        }
    }

    private func table(_ lines: [LinkLine]) -> String {
        TextTable.aligned(
            [["NODE", "LINK", "MS", "CAUSE"]]
                + lines.map { line in
                    [line.node, line.isUp ? "up" : "down", line.milliseconds.map { "\($0)" } ?? "-", line.cause ?? ""]
                },
            shaded: ["LINK"]
        )
    }
}
