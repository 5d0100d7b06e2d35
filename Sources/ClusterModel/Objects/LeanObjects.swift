extension KubernetesObject {
    package func lean() -> Self { leanByMetadata() }

    /// The object with lean metadata.
    fileprivate func leanByMetadata() -> Self {
        var lean = self
        lean.metadata = metadata.lean
        return lean
    }
}

extension ObjectMetadata {
    /// What is kept of labels and of annotations: our own, and what Kubernetes itself writes on Nodes and pods.
    private static let domains = ["tendril.dev/", "kubernetes.io/"]

    /// With few and short labels, annotations, finalizers and owners.
    fileprivate var lean: ObjectMetadata {
        var lean = self
        lean.labels = labels.map(Self.lean)
        lean.annotations = annotations.map(Self.lean)
        lean.finalizers = finalizers.map { $0.prefix(8).map { $0.cut(to: 256) } }
        lean.ownerReferences = ownerReferences.map { Array($0.prefix(4)) }
        return lean
    }

    private static func lean(_ notes: [String: String]) -> [String: String] {
        let known = notes.filter { note in
            note.key.utf8.count <= 128 && note.value.utf8.count <= 512
                && domains.contains { note.key.hasPrefix($0) }
        }
        guard known.count > 32 else { return known }
        return Dictionary(uniqueKeysWithValues: known.sorted { $0.key < $1.key }.suffix(32).map { ($0.key, $0.value) })
    }
}

extension Node {
    package func lean() -> Node {
        var lean = leanByMetadata()
        lean.spec?.taints = spec?.taints.map { Array($0.prefix(32)) }
        lean.status?.addresses = status?.addresses.map { Array($0.prefix(16)) }
        lean.status?.conditions = status?.conditions.map { conditions in
            conditions.prefix(24).map { condition in
                var condition = condition
                condition.message = condition.message?.cut(to: 512)
                condition.reason = condition.reason?.cut(to: 128)
                return condition
            }
        }
        return lean
    }
}

extension Pod {
    package func lean() -> Pod {
        var lean = leanByMetadata()
        lean.spec?.volumes = spec?.volumes.map { volumes in
            Array(volumes.filter { $0.persistentVolumeClaim != nil || $0.ephemeral != nil }.prefix(128))
        }
        return lean
    }
}

extension NodeBootstrap {
    package func lean() -> NodeBootstrap {
        var lean = leanByMetadata()
        lean.status?.error = status?.error?.cut(to: 1024)
        lean.status?.timings = nil
        return lean
    }
}

extension String {
    /// The beginning, of at most so many bytes, in memory of its own.
    fileprivate func cut(to count: Int) -> String {
        utf8.count <= count ? self : String(decoding: Array(utf8.prefix(count)), as: UTF8.self)
    }
}
