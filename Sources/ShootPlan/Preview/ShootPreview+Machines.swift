package import ClusterModel

extension ShootPreview {
    /// The machines of a shoot by their pools, as far as somebody has seen them.
    package struct Machines: Sendable {
        /// Those that are asked about.
        enum Part {
            case every
            /// Those that give way where another class is wanted.
            case replaced
            /// Those that do not, for they do not say their class.
            case lasting
        }

        private var names: [String: [String]] = [:]
        private var lasting: Set<String> = []

        /// Nothing is known of them.
        package static let unknown = Machines()

        private init() {}

        /// Takes nodes, and what machines say that are none yet.
        package init(_ nodes: [Node], _ bootstraps: [NodeBootstrap]) {
            let known = Set(nodes.map(\.name))
            let machines =
                nodes.map { ($0.pool, $0.name) }
                + bootstraps.filter { $0.isUnborn(beside: known) }.map { ($0.spec?.pool, $0.name) }
            for case (let pool?, let name) in machines { names[pool, default: []].append(name) }
            lasting = Set(nodes.filter { $0.machineClass == nil }.map(\.name))
        }

        /// The names of a pool's machines, in their order; `nil` where none is known.
        func of(_ pool: String, _ part: Part = .every) -> [String]? {
            let found = (names[pool] ?? []).filter { part == .every || lasting.contains($0) == (part == .lasting) }
            return found.isEmpty ? nil : found.sorted()
        }

        /// The same of several pools.
        func of(_ pools: [Shoot.Worker]) -> [String]? {
            let found = pools.flatMap { of($0.name) ?? [] }
            return found.isEmpty ? nil : found
        }
    }
}
