import NodePlan
import TendrilCore

extension NodeConfiguration {
    /// The units that begin anew on a machine of this configuration which is told another one, as its agent plans it.
    ///
    /// - Parameter next: the other one.
    /// - Returns: the units' names.
    /// - Throws: where there is no way from the one to the other.
    func restarts(to next: NodeConfiguration) throws -> Set<String> {
        let (before, after) = (try desired, try next.desired)
        var manifest = Manifest()
        manifest.files = before.files.mapValues { _ in Manifest.Original.absent }
        let running = ObservedUnit(isActive: true, isEnabled: true)
        let observed = ObservedNode(
            files: before.files.mapValues { ObservedFile.file(digest: $0.digest, mode: $0.mode) },
            units: Dictionary((before.units + after.units).map { ($0.name, running) }) { $1 },
            unitTexts: before.files.compactMapValues(\.text)
        )
        return Set(try Planner.plan(to: after, from: observed, manifest: manifest).disrupted)
    }

    /// All that a machine is to be by this, but for what it follows from Secrets.
    ///
    /// Every release runs with cgroup v1, and what a kubelet is told for it changes once more often than for v2 (`KubeletTraits`).
    private var desired: DesiredNode {
        get throws {
            try DesiredNode(
                self,
                on: HostFacts(nodeName: "node", hierarchy: .v1),
                secrets: Dictionary(uniqueKeysWithValues: spec.followedPaths.map { ($0, [UInt8]()) }),
                digest: { String(decoding: $0, as: UTF8.self) }
            )
        }
    }
}
