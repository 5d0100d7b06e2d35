import Glibc
import LinuxSystem
import Netlink
import TendrilCore

/// How packets for the pods of another node get to it.
protocol PodWay: Sendable {
    /// Makes what routes stand on.
    ///
    /// - Parameters:
    ///   - socket: to the kernel.
    ///   - own: this node's address in the pods' range, if it has a part of it yet.
    /// - Returns: whether routes can be made now.
    /// - Throws: where the kernel refuses something.
    func prepare(_ socket: borrowing RouteSocket, own: IPAddress?) throws(SystemError) -> Bool

    /// The routes that there are into the pods' range.
    ///
    /// - Parameter pods: the range of all pods.
    /// - Returns: by network, the address of the node that each leads to.
    /// - Throws: where the kernel does not say.
    func present(in pods: IPPrefix) throws(SystemError) -> [IPPrefix: IPAddress]

    /// Leads a network to the node of an address, whatever way it had before.
    func lead(_ network: IPPrefix, to address: IPAddress, _ socket: borrowing RouteSocket) throws(SystemError)

    /// Removes a network's route.
    func end(_ network: IPPrefix, _ socket: borrowing RouteSocket) throws(SystemError)
}

/// By way of the other node's address: nodes see one another without a router, and nobody checks sources.
struct NeighbourWay: PodWay {
    func prepare(_ socket: borrowing RouteSocket, own: IPAddress?) throws(SystemError) -> Bool { true }

    func present(in pods: IPPrefix) throws(SystemError) -> [IPPrefix: IPAddress] {
        try RouteList.gateways().filter { pods.contains($0.key) }
    }

    func lead(_ network: IPPrefix, to address: IPAddress, _ socket: borrowing RouteSocket) throws(SystemError) {
        try socket.replace(network, via: address)
    }

    func end(_ network: IPPrefix, _ socket: borrowing RouteSocket) throws(SystemError) { try socket.remove(network) }
}

/// Inside UDP to the other node's address: any network that carries UDP between nodes will do.
final class OverlayWay: PodWay {
    /// The port that IANA gives VXLAN-GPE, and a number of our own.
    static let device = OverlayDevice(
        name: "tendril-pods",
        port: 4790,
        number: 0x7464,
        mtu: 1500 - OverlayDevice.overhead
    )

    private struct State {
        var own: IPAddress?
        /// What was made; the kernel does not list where such a route leads to in a form that is easily read.
        var made: [IPPrefix: IPAddress] = [:]
    }
    private let state = Guarded(State())

    func prepare(_ socket: borrowing RouteSocket, own: IPAddress?) throws(SystemError) -> Bool {
        guard let own else { return false }
        try socket.make(Self.device)
        // This node's own connections to pods come from there, so that answers find back.
        do throws(SystemError) {
            try socket.add(InterfaceAddress(host: own), to: Self.device.name)
        } catch  where error.code == EEXIST {
            // It has it already.
        }
        state.withLock { $0.own = own }
        return true
    }

    func present(in pods: IPPrefix) throws(SystemError) -> [IPPrefix: IPAddress] {
        let there = try RouteList.networks(by: Self.device.name).filter { pods.contains($0) && $0.length < 32 }
        let made = state.withLock { $0.made }
        // What an earlier run made leads nowhere that is known: it is made anew, or removed.
        return Dictionary(there.map { ($0, made[$0] ?? IPAddress(v4: 0)) }) { $1 }
    }

    func lead(_ network: IPPrefix, to address: IPAddress, _ socket: borrowing RouteSocket) throws(SystemError) {
        guard let own = state.withLock({ $0.own }) else { return }
        try socket.replace(network, over: Self.device, to: address, from: own)
        state.withLock { $0.made[network] = address }
    }

    func end(_ network: IPPrefix, _ socket: borrowing RouteSocket) throws(SystemError) {
        try socket.remove(network)
        state.withLock { $0.made[network] = nil }
    }
}
