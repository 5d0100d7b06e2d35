import LinuxSystem
import Logging
import Netlink
import TendrilCore
import TunnelDataPlane
import TunnelProtocol

/// How a client begins.
extension ClientControl {
    /// Sets a client up and runs it to its end.
    static func run(_ configuration: VPNConfiguration, logger: Logger) throws {
        let paths = ReturnPaths()
        var served = RouteTable<Bool>()
        for network in configuration.networks { served.insert(network, true) }
        for address in configuration.addresses { served.insert(IPPrefix(host: address.address), true) }
        var remote = RouteTable<Bool>()
        if !configuration.remoteNetworks.isEmpty {
            for network in configuration.remoteNetworks + configuration.addresses.map(\.prefix) {
                remote.insert(network, true)
            }
        }
        let policy = ClientPolicy(served: served, remote: remote)
        let core = try ControlCore(
            configuration,
            side: .client(policy, paths),
            streamRules: rules(configuration),
            logger: logger
        )
        let listener = try configuration.apiServerListen.map { Handover(try listen(at: $0)) }
        try Privileges.drop(keeping: core.congestionControl.privileges)
        let control = ClientControl(core, policy, paths)
        core.delegate = control
        if let listener = listener?.take() {
            control.serviceDoor = try ServiceDoor(
                core,
                listener,
                links: { [unowned control] in control.liveLinks },
                missing: { [unowned control] in control.servers.missing(at: $0) }
            )
        }
        logger.notice(
            "dialling",
            metadata: [
                "servers": "\(configuration.servers.map(\.description).joined(separator: " "))",
                "identity": "\(core.board.identity)", "congestion": "\(core.congestionControl)",
            ]
        )
        try withExtendedLifetime(control) { try core.run() }
    }

    /// What servers' streams may reach: the networks that this client serves, its own addresses in them, and what is named besides.
    private static func rules(_ configuration: VPNConfiguration) -> StreamRules {
        var networks = RouteTable<Bool>()
        for network in configuration.networks { networks.insert(network, true) }
        // The server's operator may read this side's status and log.
        let status = SocketAddress(path: configuration.socket).map { [PeerStatus.service.description: $0] } ?? [:]
        let own = configuration.apiServerListen.flatMap { listen in
            IPAddress(listen.host).map { SocketAddress($0, port: listen.port) }
        }
        return StreamRules(
            networks: networks,
            resolvesNames: true,
            services: status,
            outside: Set(configuration.outsideTargets),
            own: own
        )
    }

    /// Listens at an address that pods of this node use, which the loopback device gets where nobody has it.
    private static func listen(at endpoint: Endpoint) throws(SystemError) -> StreamSocket {
        let address = try SocketAddress.resolve(endpoint)[0]
        do throws(SystemError) {
            return try StreamSocket(listeningAt: address)
        } catch {
            guard error.isNoAddressOfThisHost, let own = address.address else { throw error }
            let routes = try RouteSocket()
            try routes.add(InterfaceAddress(host: own), to: "lo")
            return try StreamSocket(listeningAt: address)
        }
    }
}
