internal import Glibc
internal import HTTPModel
internal import KubernetesClient
internal import LinuxSystem
internal import NodePlan
internal import TendrilCore

/// Waits between attempts, and notices cheaply that a fault is over.
struct FaultWatch: Sendable {
    private let context: AgentContext

    init(_ context: AgentContext) { self.context = context }

    /// Waits at most `limit`, but only until the fault is over as far as `probe` can tell; it looks every five seconds.
    func pause(_ probe: AgentFailure.Probe, atMost limit: Nanoseconds) async {
        let deadline = Clock.now() + limit
        while Clock.now() < deadline, !Task.isCancelled {
            let left = deadline.since(Clock.now())
            try? await Task.sleep(probe == .none ? left : min(left, .seconds(5)))
            if await isOver(probe) { return }
        }
    }

    private func isOver(_ probe: AgentFailure.Probe) async -> Bool {
        switch probe {
        case .none: return false
        case .connection:
            // Without a credential: any answer shows that somebody is there.
            let open = context.client(context.security(.unproven, .none))
            do {
                _ = try await open.raw("/healthz")
                return true
            } catch {
                return error.code != nil
            }
        case .disk: return canWriteEverywhere
        case .systemd:
            let units = context.units
            return (try? await Blocking.run("probe") { units.isAnswering() }) ?? false
        }
    }

    /// Whether every directory that is written to takes a file.
    private var canWriteEverywhere: Bool {
        do {
            let touched = try context.applier.manifest().files.keys
            for directory in Set(
                touched.map { $0[..<($0.lastIndex(of: "/") ?? $0.startIndex)] } + [AgentPaths.state[...]]
            ) {
                let path = "\(directory)/tendril-probe"
                try context.files.createTemporary(for: path, [UInt8](repeating: 0, count: 16 * 1024), mode: 0o600)
                try context.files.removeTemporary(for: path)
            }
            return true
        } catch {
            return false
        }
    }
}
