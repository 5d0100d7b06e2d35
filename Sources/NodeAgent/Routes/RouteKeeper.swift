internal import ClusterModel
internal import FoundationEssentials
internal import Glibc
internal import HTTPTransfer
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import Netlink
internal import NodePlan
internal import Observability
internal import TendrilCore

/// Keeps the routes to other nodes' pods: the network plug-in of clusters whose nodes see one another.
package final class RouteKeeper: Sendable {
    private let client: KubernetesClient
    private let node: String
    private let pods: IPPrefix
    private let way: any PodWay
    private let logger: Logger
    private let state = Guarded(State())

    private struct State {
        var nodes: [String: Node] = [:]
        /// Whether what leaves for elsewhere is masqueraded already.
        var hasMasquerade = false
    }

    /// Finds its cluster as a pod does.
    ///
    /// - Parameters:
    ///   - node: the name of this node.
    ///   - pods: the range of all pods; nothing outside of it is ever changed.
    ///   - isOverlay: whether packets between nodes travel inside UDP, for what carries them knows no pods.
    ///   - variables: the process's environment.
    /// - Throws: where this is no pod, or the range is no network of IPv4.
    package init(node: String, pods: String, isOverlay: Bool, variables: [String: String]) throws {
        guard let range = IPPrefix(pods), range.family == .v4 else {
            throw ConfigurationError("--pods", "\(pods) is no network of IPv4")
        }
        let kubeconfig = try Kubeconfig.inCluster(variables)
        client = KubernetesClient(kubeconfig, transport: try HTTPTransfer(), program: "tendril-routes")
        (self.node, self.pods) = (node, range)
        way = isOverlay ? OverlayWay() : NeighbourWay()
        logger = Logger(label: "tendril-routes") { LogOutput(label: $0, level: .info, format: .text) }
    }

    /// Follows the nodes until SIGTERM or SIGINT; routes stay, for pods go on.
    package func run() async {
        EndSignal.expect()
        let work = Task {
            async let following: Void = follow()
            // What somebody else changed is mended too.
            while !Task.isCancelled {
                try? await Task.sleep(.seconds(30))
                apply(isThorough: true)
            }
            await following
        }
        await EndSignal.wait()
        work.cancel()
    }

    private func follow() async {
        await Watcher(Node.self, client: client).run { event in
            switch event {
            case .all(let all): self.state.withLock { $0.nodes = all.byName }
            case .changed(let node): self.state.withLock { $0.nodes[node.name] = node }
            case .removed(let node): self.state.withLock { $0.nodes[node.name] = nil }
            case .failed(let error):
                self.logger.warning("cannot watch nodes", metadata: ["reason": "\(error)"])
                return
            }
            self.apply(isThorough: false)
        }
    }

    /// Makes the kernel's routes what they are to be.
    private func apply(isThorough: Bool) {
        // One at a time: the lock is held by whoever compares and changes.
        state.withLock { state in
            let all = Array(state.nodes.values)
            // Before the first list nothing is known, and nothing is taken away.
            guard !all.isEmpty else { return }
            let wanted = PodRoutes.wanted(all, own: node, pods: pods)
            do throws(SystemError) {
                if isThorough || !state.hasMasquerade { try PodMasquerade.install(pods) }
                state.hasMasquerade = true
                let socket = try RouteSocket()
                let own = PodRoutes.ownAddress(all, own: node, pods: pods)
                guard try way.prepare(socket, own: own) else { return }
                let present = try way.present(in: pods)
                for (network, address) in wanted where isThorough || present[network] != address {
                    change(present[network] == address ? nil : "route", network) { () throws(SystemError) in
                        try way.lead(network, to: address, socket)
                    }
                }
                for network in present.keys where wanted[network] == nil {
                    change("route is gone", network) { () throws(SystemError) in try way.end(network, socket) }
                }
            } catch {
                logger.warning("cannot look at routes", metadata: ["reason": "\(error)"])
            }
        }
    }

    /// One that the kernel refuses does not keep the others from being changed.
    private func change(_ what: String?, _ network: IPPrefix, _ body: () throws(SystemError) -> Void) {
        do throws(SystemError) {
            try body()
            guard let what else { return }
            logger.info("\(what)", metadata: ["to": "\(network)"])
        } catch {
            logger.warning("cannot change a route", metadata: ["to": "\(network)", "reason": "\(error)"])
        }
    }
}
