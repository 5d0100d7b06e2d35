import ClusterModel
import EventTransfer
import KubernetesClient
import LinuxSystem
import Logging
import TendrilCore
import TunnelProtocol

/// Follows a cluster's Nodes, so that a client is believed to have what its Node has and no more.
final class NodeFollower: Sendable {
    /// What is known of Nodes.
    enum News: Sendable {
        /// What each of them has, by its name.
        case known([String: [IPPrefix]])
        /// What was known stays in force.
        case failed(reason: String)
    }

    /// What was heard so far.
    private struct Memory {
        var claims: [String: [IPPrefix]] = [:]
        var told: [String: [IPPrefix]]?
    }

    private let path: String
    private let cluster: [IPPrefix]
    private let transport: EventTransfer
    private let tell: @Sendable (News) -> Void
    private let memory = Guarded(Memory())

    /// Prepares to follow.
    ///
    /// - Parameters:
    ///   - path: the kubeconfig; it is read again when it changes.
    ///   - cluster: the cluster's networks; a Node is not believed to have anything outside of them.
    ///   - tell: is called from any thread, when something is new.
    /// - Throws: where the kernel gives no thread.
    init(kubeconfig path: String, within cluster: [IPPrefix], tell: @escaping @Sendable (News) -> Void) throws {
        (self.path, self.cluster, self.tell) = (path, cluster, tell)
        transport = try EventTransfer()
    }

    /// Reads a kubeconfig, to find mistakes without running.
    static func check(_ path: String) throws { _ = try Kubeconfig(path: path) }

    /// Follows until the process ends.
    func start() {
        Task { await self.run() }
    }

    /// Follows by the newest kubeconfig that could be used.
    private func run() async {
        var changes = FileChanges([path])
        changes.forget()
        var following: Task<Void, Never>?
        while !Task.isCancelled {
            do {
                if let kubeconfig = try changes.take(at: Clock.now(), { try Kubeconfig(path: path) }) {
                    following?.cancel()
                    await following?.value
                    following = Task { await self.follow(kubeconfig) }
                }
            } catch {
                tell(.failed(reason: "\(error)"))
            }
            try? await Task.sleep(.seconds(5))
        }
        following?.cancel()
    }

    private func follow(_ kubeconfig: Kubeconfig) async {
        let client = KubernetesClient(kubeconfig, transport: transport, program: "tendril-vpn")
        await Watcher(Node.self, client: client, skipsUnreadable: true).run { self.take($0) }
    }

    private func take(_ event: WatchEvent<Node>) {
        switch event {
        case .failed(let error): tell(.failed(reason: "\(error)"))
        case .all(let nodes):
            change { claims in
                claims = [:]
                for node in nodes { self.note(node, in: &claims) }
            }
        case .changed(let node): change { self.note(node, in: &$0) }
        case .removed(let node): change { $0[node.name] = nil }
        }
    }

    private func note(_ node: Node, in claims: inout [String: [IPPrefix]]) {
        guard let name = node.metadata.name else { return }
        claims[name] = NodeNetworks.claimed(by: node, within: cluster)
    }

    /// Changes what is known, and tells it where that makes a difference: Nodes change every few minutes only to say that they live.
    private func change(_ body: (inout [String: [IPPrefix]]) -> Void) {
        memory.withLock { memory in
            let before = memory.claims
            body(&memory.claims)
            guard memory.told == nil || memory.claims != before else { return }
            let news = NodeNetworks.undisputed(memory.claims)
            guard news != memory.told else { return }
            memory.told = news
            tell(.known(news))
        }
    }
}
