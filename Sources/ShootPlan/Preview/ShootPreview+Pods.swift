import ClusterModel
import TendrilCore

/// What runs as pods.
extension ShootPreview {
    /// Parts of a place to which the same happens, for the same reason.
    private struct Group {
        let effect: String
        let reason: String
        var names: [String]
    }

    /// Compares what is rendered; parts to which the same happens share a line.
    mutating func comparePods(in place: RenderedShoot.Place, _ change: ShootChange) throws {
        // Each part asks for the same ones.
        var known: [Shoot.Spec: [PodPart]] = [:]
        func pods(_ rendered: RenderedShoot) throws -> [PodPart] {
            if let pods = known[rendered.shoot.spec] { return pods }
            let pods = try rendered.pods(in: place)
            known[rendered.shoot.spec] = pods
            return pods
        }
        let (before, after) = (try pods(change.before), try pods(change.after))
        func reason<Value: Equatable>(_ name: String, _ part: (PodPart?) -> Value) throws -> String? {
            try change.reason { rendered in part(try pods(rendered).first { $0.name == name }) }
        }
        var groups: [Group] = []
        func tell(_ name: String, _ effect: String, _ reason: String?) {
            guard let reason else { return }
            if let index = groups.firstIndex(where: { $0.effect == effect && $0.reason == reason }) {
                groups[index].names.append(name)
            } else {
                groups.append(Group(effect: effect, reason: reason, names: [name]))
            }
        }
        let (old, new) = (Set(before.map(\.name)), Set(after.map(\.name)))
        func isThere(_ name: String) throws -> String? { try reason(name) { $0 != nil } }
        for part in after where !old.contains(part.name) { tell(part.name, "comes", try isThere(part.name)) }
        for part in before where !new.contains(part.name) { tell(part.name, "goes", try isThere(part.name)) }
        let staying = after.filter { old.contains($0.name) }
        for part in staying { tell(part.name, part.roll, try reason(part.name) { $0?.template }) }
        for case (let name, let count?) in staying.map({ ($0.name, $0.replicas) }) {
            tell(name, count == 1 ? "1 pod runs" : "\(count) pods run", try reason(name) { $0?.replicas })
        }
        for group in groups {
            add(place.rawValue, "\(group.names.joined(separator: ", ")): \(group.effect)", group.reason)
        }
    }
}
