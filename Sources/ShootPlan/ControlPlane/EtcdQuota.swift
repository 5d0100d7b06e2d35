package import TendrilCore

/// How large the database of a shoot's etcd may become.
package enum EtcdQuota {
    /// Twice of it, for defragmentation and a snapshot, is there on the volume.
    private static let bytes = 4_294_967_296
    private static let flag = "--quota-backend-bytes="

    /// What a snapshot takes at most: as much as the largest database that any release gave, 8 GiB, and a little more.
    static let snapshotLimit = "9Gi"
    /// What a snapshot and the data that is made of it take at most.
    static let restoredLimit = "18Gi"

    /// What etcd is told.
    static var argument: String { "\(flag)\(bytes)" }

    /// A StatefulSet with the quota of the one that is there, where that is larger.
    ///
    /// Earlier releases gave 8 GiB: a database that has more than is given now would take nothing any more.
    ///
    /// - Parameters:
    ///   - wanted: as it is rendered.
    ///   - found: as it is there.
    /// - Returns: what is wanted, with one quota or the other.
    package static func keeping(_ wanted: JSONValue, of found: JSONValue) -> JSONValue {
        let present = containers(found).flatMap(command).compactMap(quota).max() ?? 0
        guard present > bytes else { return wanted }
        let kept = containers(wanted).map { container -> JSONValue in
            let arguments = command(container).map { quota($0) == nil ? $0 : .string("\(flag)\(present)") }
            return container.merging(["command": .array(arguments)])
        }
        return wanted.merging(["spec": ["template": ["spec": ["containers": .array(kept)]]]])
    }

    private static func containers(_ set: JSONValue) -> [JSONValue] {
        set["spec"]?["template"]?["spec"]?["containers"]?.items ?? []
    }

    private static func command(_ container: JSONValue) -> [JSONValue] { container["command"]?.items ?? [] }

    private static func quota(_ argument: JSONValue) -> Int? {
        guard let text = argument.text, text.hasPrefix(flag) else { return nil }
        return Int(text.dropFirst(flag.count))
    }
}
