internal import ClusterModel
internal import HTTPTransfer
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import NodePlan
internal import TendrilCore

/// What all shoots of a coordinator share.
struct CoordinatorEnvironment: Sendable {
    let configuration: CoordinatorConfiguration
    let garden: KubernetesClient
    let seed: KubernetesClient
    let seedVersion: KubernetesVersion
    let transport: any HTTPTransport
    /// Whether this process may still change anything.
    let mayWrite: @Sendable () -> Bool
    let logger: Logger
    let slots: Slots
    let counts: CoordinatorCounts

    /// Who makes the machines of a shoot.
    func provider(_ type: Shoot.ProviderType) throws -> any InfrastructureProvider {
        switch type {
        case .local: return LocalProvider()
        case .aws:
            guard let terraform = configuration.terraform else {
                throw TaskFailure(.configuration, "spec.provider.type: this coordinator has no terraform")
            }
            return AWSProvider(settings: terraform)
        }
    }
}

/// Bounds how many tasks of shoots are performed at the same time, in the order in which they came.
final class Slots: Sendable {
    private struct State {
        var free: Int
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state: Guarded<State>

    init(_ count: Int) { state = Guarded(State(free: max(count, 1))) }

    /// Waits for a free place.
    private func take() async {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                if state.free > 0 {
                    state.free -= 1
                    return true
                }
                state.waiting.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
    }

    /// Does something in a place of its own, which is given back whatever comes of it.
    func holding<Value>(unless isFree: Bool, _ body: () async throws -> Value) async throws -> Value {
        if isFree { return try await body() }
        await take()
        defer { give() }
        try Task.checkCancellation()
        return try await body()
    }

    /// Gives a place back.
    private func give() {
        let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
            state.free += 1
            return nil
        }
        next?.resume()
    }
}

/// What the coordinator counts, for metrics.
final class CoordinatorCounts: Sendable {
    private struct State {
        var ends: [String: UInt64] = [:]
        var nanoseconds: [String: UInt64] = [:]
        var shoots = 0
    }

    private let state = Guarded(State())

    func ended(_ type: ShootStatus.OperationType, isSuccess: Bool, nanoseconds: UInt64) {
        state.withLock { state in
            let key = "operation=\"\(type.rawValue)\",result=\"\(isSuccess ? "success" : "failure")\""
            state.ends[key, default: 0] += 1
            state.nanoseconds[key, default: 0] &+= nanoseconds
        }
    }

    func know(_ shoots: Int) { state.withLock { $0.shoots = shoots } }

    /// The counts as Prometheus text.
    var text: String {
        let state = state.withLock { $0 }
        func rows(_ name: String, _ values: [String: String]) -> String {
            values.sorted { $0.key < $1.key }.map { "\(name){\($0.key)} \($0.value)\n" }.joined()
        }
        return """
            # HELP tendril_coordinator_operations_total Operations on shoots that came to an end.
            # TYPE tendril_coordinator_operations_total counter
            \(rows("tendril_coordinator_operations_total", state.ends.mapValues { "\($0)" }))\
            # HELP tendril_coordinator_operation_seconds_total How long they took together.
            # TYPE tendril_coordinator_operation_seconds_total counter
            \(rows(
                "tendril_coordinator_operation_seconds_total",
                state.nanoseconds.mapValues { "\(Double($0) / 1e9)" }
            ))\
            # HELP tendril_coordinator_shoots Shoots that are taken care of.
            # TYPE tendril_coordinator_shoots gauge
            tendril_coordinator_shoots \(state.shoots)

            """
    }
}
