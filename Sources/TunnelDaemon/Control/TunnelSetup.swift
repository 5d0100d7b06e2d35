import Glibc
import LinuxSystem
import Logging
import Netlink
import TendrilCore
import TunnelProtocol

/// The device, addresses, routes and NAT of a tunnel; all of it goes away with the process, however it ends.
struct TunnelSetup: ~Copyable {
    /// TUN's own queue in packets: short, for packets are to wait where they can be scheduled.
    private static var queueLength: Int { 512 }

    private(set) var queues: [Handover<TUNQueue>] = []
    private let masquerade: Masquerade?
    /// What the kernel leaves to the far end.
    let features: Hello.Features

    /// Sets everything up, or says what cannot be.
    init(_ configuration: VPNConfiguration, logger: Logger) throws(SystemError) {
        guard configuration.packets else {
            masquerade = nil
            features = []
            return
        }
        var queues: [Handover<TUNQueue>] = []
        var features: Hello.Features = [.packets, .segmentation, .datagramSegmentation]
        for _ in 0..<configuration.lanes {
            let queue = try TUNQueue(name: configuration.tun, isMultiQueue: configuration.lanes > 1)
            let agreed = Self.offer(configuration.offload, on: queue, logger: logger)
            if !agreed.contains(.datagrams) { features.remove(.datagramSegmentation) }
            queues.append(Handover(queue))
        }
        let routes = try RouteSocket()
        try routes.bringUp(configuration.tun, mtu: configuration.mtu, queueLength: Self.queueLength)
        for address in configuration.addresses { try routes.add(address, to: configuration.tun) }
        let networks = configuration.role == .server ? Self.shootNetworks(configuration) : configuration.remoteNetworks
        for network in networks { try routes.add(network, into: configuration.tun) }
        Self.allowForwarding(from: configuration.tun, logger: logger)
        masquerade = configuration.masquerade ? try Masquerade(from: configuration.tun) : nil
        self.queues = queues
        self.features = features
    }

    private static func shootNetworks(_ configuration: VPNConfiguration) -> [IPPrefix] {
        guard configuration.networks.isEmpty else { return configuration.networks }
        return configuration.clients.sorted { $0.key < $1.key }.flatMap(\.value.networks)
    }

    /// Asks for the most that the kernel gives: UDP super-packets need Linux 6.2.
    ///
    /// - Parameters:
    ///   - offload: what the configuration wants.
    ///   - queue: a queue of the device.
    ///   - logger: where the outcome is noted.
    /// - Returns: what the kernel agreed to.
    private static func offer(
        _ offload: VPNConfiguration.Offload,
        on queue: borrowing TUNQueue,
        logger: Logger
    ) -> TUNQueue.Offloads {
        let wishes: [(TUNQueue.Offloads, String)] = [
            ([.checksum, .segmentation, .datagrams], "TCP and UDP super-packets"),
            ([.checksum, .segmentation], "TCP super-packets"),
            ([.checksum], "unfinished checksums"),
        ]
        let start =
            switch offload {
            case .auto: 0
            case .tcp: 1
            case .none: wishes.count
            }
        for (wish, name) in wishes.dropFirst(start) where queue.offer(wish) {
            logger.debug("offload agreed", metadata: ["offload": "\(name)"])
            return wish
        }
        _ = queue.offer([])
        logger.debug("offload agreed", metadata: ["offload": "none"])
        return []
    }

    /// Lets the kernel forward what comes out of the tunnel; of other interfaces it is the operator's choice.
    private static func allowForwarding(from tun: String, logger: Logger) {
        for family in ["ipv4", "ipv6"] {
            let path = "/proc/sys/net/\(family)/conf/\(tun)/forwarding"
            do throws(SystemError) {
                try DurableFile.overwrite(path, with: "1")
            } catch {
                // Without IPv6 there is no such file, and nothing to be forwarded.
                let isOn = (try? DurableFile.read(path))?.first == UInt8(ascii: "1")
                let level: Logger.Level = isOn || error.code == ENOENT ? .debug : .warning
                logger.log(
                    level: level,
                    "forwarding not changed",
                    metadata: ["path": "\(path)", "reason": "\(error)"]
                )
            }
        }
    }
}
