internal import ClusterModel
internal import KubernetesClient
internal import ShootPlan
internal import TLSEngine
internal import TendrilCore

/// What was installed in a shoot, and how each object was left.
struct InstalledObjects: Codable, Sendable {
    /// By where each is: its mark, which is empty for what has none.
    private var marks: [String: String] = [:]

    init() {}

    /// What all tasks have installed, as far as it is known.
    init(_ records: FlowRecords) {
        let system = try? records.output(TaskName.system, as: InstalledObjects.self)
        let addons = try? records.output(TaskName.addons, as: AddonsTask.Output.self)
        for part in [system, addons?.installed] { marks.merge(part?.marks ?? [:]) { $1 } }
    }

    /// In an order that stays.
    var paths: [String] { marks.keys.sorted() }

    /// Notes an object that was sent, and what it became.
    mutating func note(_ object: JSONValue, as applied: JSONValue) {
        guard let path = ObjectPath.path(of: object) else { return }
        marks[path] = Self.mark(applied) ?? ""
    }

    /// Whether an object has the mark that it had.
    func isAsLeft(_ object: JSONValue, at path: String) -> Bool {
        guard let mark = marks[path], !mark.isEmpty else { return true }
        return mark == Self.mark(object)
    }

    private static func mark(_ object: JSONValue) -> String? { ObjectMark.text(of: object, digest: Digest.hex) }
}
