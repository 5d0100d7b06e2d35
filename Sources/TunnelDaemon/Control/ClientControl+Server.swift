import LinuxSystem
import TLSEngine
import TendrilCore
import TunnelProtocol

extension ClientControl {
    /// One server of the list.
    struct Server {
        let endpoint: Endpoint
        /// Which of the instances behind the endpoint it may be: 0 for the one that was configured.
        let replica: Int
        var machine: LinkMachine
        var attempts = 0
        /// Where the link's first lane was opened; the others go there too.
        var opened: SocketAddress?
        /// The run of the server that the link's lanes lead to.
        var run: UInt128?
        var carriesPackets = true
        /// The server's name, by its certificate.
        var instance: String?
        /// The server's own tunnel addresses.
        var addresses: [IPAddress] = []
        /// How many instances there are behind the endpoint, as this one said last.
        var instances = 1
        var certificates: [UInt64: (lane: Int, certificate: PeerCertificate)] = [:]
        /// Until when connections are made with small segments, for large ones may be lost on the way.
        var narrowUntil: MonotonicTime?
    }
}
