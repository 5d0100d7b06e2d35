internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import NodePlan
internal import TendrilCore

/// What is wanted of the node.
extension Supervisor {
    func followPool() async {
        let name = TendrilAPI.pointer(pool: context.identity.pool)
        let watcher = Watcher(ConfigMap.self, client: access.client, namespace: TendrilAPI.namespace, name: name)
        await watcher.run { event in
            switch event {
            case .all(let maps): self.follow(maps.first)
            case .changed(let map): self.follow(map)
            case .removed: self.follow(nil)
            case .failed(let error):
                self.context.logger.warning("cannot follow what is wanted", metadata: ["reason": "\(error)"])
            }
        }
    }

    private func follow(_ pointer: ConfigMap?) {
        state.withLock { ($0.pointer, $0.isUnread) = (pointer, true) }
        wake.yield()
    }

    /// Wakes the reconciling when a Secret changes that a file is followed from.
    func followSecrets() async {
        while !Task.isCancelled {
            let names = secretNames
            await withTaskGroup(of: Void.self) { group in
                for name in names { group.addTask { await self.followSecret(name) } }
                while !Task.isCancelled, secretNames == names { try? await Task.sleep(.seconds(5)) }
                group.cancelAll()
            }
        }
    }

    private var secretNames: Set<String> { state.withLock { $0.secretNames } }

    func follow(_ document: NodeConfiguration) {
        state.withLock { $0.secretNames = document.spec.secretNames }
    }

    private func followSecret(_ name: String) async {
        let watcher = Watcher(
            KubernetesSecret.self,
            client: access.client,
            namespace: TendrilAPI.namespace,
            name: name
        )
        await watcher.run { event in
            switch event {
            case .changed: self.wake.yield()
            // The content at the beginning was read by the pass that brought it.
            case .all: break
            // What is on the disk stays: never nothing in the place of a good credential.
            case .removed: self.context.logger.warning("a Secret is gone", metadata: ["secret": "\(name)"])
            case .failed(let error):
                self.context.logger.warning("cannot follow a Secret", metadata: ["reason": "\(error)"])
            }
        }
    }

    /// Has the tunnel's certificate renewed by the next pass when its time has come.
    func renewTunnelCertificate() {
        guard TunnelCertificate(context, access.client).isDue else { return }
        wake.yield()
    }

    /// Reads what is wanted, if that has changed or could not be read.
    func read() async throws(AgentFailure) {
        let (pointer, isUnread) = state.withLock { ($0.pointer, $0.isUnread) }
        guard isUnread else { return }
        guard let pointer else {
            let name = TendrilAPI.pointer(pool: context.identity.pool)
            throw AgentFailure(.noDesiredState, "the ConfigMap \(name) is gone: the last generation stays in force")
        }
        let proven = try await DesiredState(context, access.client).fetch(pointer)
        let isMine = try generations.document(proven).isFor(machineClass: context.configuration.machineClass)
        if !isMine {
            context.logger.notice(
                "left alone, for it is for machines of another class",
                metadata: ["generation": "\(proven.generation)"]
            )
        }
        state.withLock { state in
            state.wanted = isMine ? proven : nil
            // Another change may have come meanwhile.
            if state.pointer?.metadata.resourceVersion == pointer.metadata.resourceVersion { state.isUnread = false }
        }
    }
}
