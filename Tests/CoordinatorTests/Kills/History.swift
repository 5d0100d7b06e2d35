import ClusterModel
import TendrilCore

/// What coordinators have done in a world, by objects whose names are told without what is random in them.
struct History: Sendable, Hashable {
    /// How often each object was changed, made or removed, but for those in which the coordinator says how far it is.
    private(set) var changes: [String: Int] = [:]
    /// What each credential was by its Secret's name and its generation: more than one is a credential made twice.
    private(set) var credentials: [String: Set<JSONValue>] = [:]

    /// Begins with what credentials there are.
    init(credentials: [String: Set<JSONValue>] = [:]) { self.credentials = credentials }

    /// The credentials that were made more than once.
    var madeTwice: [String] { credentials.filter { $0.value.count > 1 }.keys.sorted() }

    /// Takes what a request has done to the object at a path; whether it was anything.
    mutating func note(_ path: String, _ before: JSONValue?, _ after: JSONValue?) -> Bool {
        guard before?["metadata"]?["resourceVersion"] != after?["metadata"]?["resourceVersion"] else { return false }
        if let after { take(path, after) }
        let isReport = path == World.shootPath || path.hasSuffix("/configmaps/tendril-flow")
        if !isReport { changes[Essence.name(path), default: 0] += 1 }
        return true
    }

    private mutating func take(_ path: String, _ secret: JSONValue) {
        let notes = secret["metadata"]?["annotations"]
        let names = notes?["tendril.dev/credential-files"]?.text?.split(separator: ",").map(String.init) ?? []
        func take(_ note: String, _ prefix: String) {
            guard let generation = notes?[note]?.text else { return }
            let files = names.map { secret["data"]?[prefix + $0] ?? .null }
            credentials["\(path) \(generation)", default: []].insert(.array(files))
        }
        take("tendril.dev/credential", "")
        take("tendril.dev/other-credential", "other-")
    }
}
