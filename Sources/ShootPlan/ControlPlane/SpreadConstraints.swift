import TendrilCore

/// Keeps pods of a kind apart (Kubernetes documentation, "Pod Topology Spread Constraints").
enum SpreadConstraints {
    /// As far apart as there is room, in each of these respects.
    ///
    /// - Parameters:
    ///   - keys: the labels of nodes that tell places apart.
    ///   - labels: of the pods.
    /// - Returns: a pod's `topologySpreadConstraints`.
    static func across(_ keys: [String], _ labels: JSONValue) -> JSONValue {
        .array(
            keys.map { key in
                [
                    "maxSkew": 1, "topologyKey": .string(key), "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": ["matchLabels": labels],
                ]
            }
        )
    }
}
