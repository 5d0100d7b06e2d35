import LinuxSystem
import Logging
import TendrilCore
import TunnelDataPlane
import TunnelProtocol

/// How a server begins.
extension ServerControl {
    /// Sets a server up and runs it to its end.
    static func run(_ configuration: VPNConfiguration, logger: Logger) throws {
        let flows = FlowTable()
        let registry = ServerRegistry(
            tunnels: configuration.addresses.map(\.prefix),
            own: configuration.addresses.map(\.address),
            pool: configuration.networks,
            bindings: configuration.clients,
            followingNodesBut: configuration.nodesKubeconfig.map { _ in configuration.sharedNetworks }
        )
        let side = PacketSide.server(registry.policy(services: configuration.allowInbound), flows)
        let listener = try StreamSocket.listening(at: configuration.listen)
        let address = listener.localAddress()?.description ?? configuration.listen.description
        let core = try ControlCore(configuration, side: side, streamRules: rules(configuration), logger: logger)
        let peerPath = VPNConfiguration.peerSocket(beside: configuration.socket)
        let peer = Handover(try LocalListener(path: peerPath, mode: 0o600))
        let egress = try configuration.egressSocket.map { path in
            Handover(try LocalListener(path: path, mode: 0o660))
        }
        let secureEgress = try configuration.egressOverTLS.flatMap { settings in
            try configuration.egressSocket.map { try SecureEgress(settings, leadingTo: $0, logger: logger) }
        }
        try Privileges.drop(keeping: core.congestionControl.privileges)
        let control = ServerControl(core, try FrontDoor(core, listener), registry, flows)
        core.delegate = control
        if let listener = egress?.take() {
            control.egressDoor = try EgressDoor(core, listener, for: .targets, guide: control)
        }
        try secureEgress?.start()
        if let path = configuration.nodesKubeconfig {
            let mailbox = core.mailbox
            try NodeFollower(kubeconfig: path, within: configuration.networks) { mailbox.post(.nodes($0)) }.start()
        }
        if let listener = peer.take() {
            control.peerDoor = try EgressDoor(core, listener, for: .peerStatus, guide: control)
        }
        logger.notice(
            "listening",
            metadata: [
                "address": "\(address)", "identity": "\(core.board.identity)",
                "congestion": "\(core.congestionControl)",
            ]
        )
        try withExtendedLifetime(control) { try core.run() }
    }

    /// What clients' streams may reach: the one service, if it is named.
    private static func rules(_ configuration: VPNConfiguration) -> StreamRules {
        guard let server = configuration.apiServer, let address = IPAddress(server.host) else { return StreamRules() }
        let name = StreamTarget.apiServer.description
        return StreamRules(services: [name: SocketAddress(address, port: server.port)])
    }
}
