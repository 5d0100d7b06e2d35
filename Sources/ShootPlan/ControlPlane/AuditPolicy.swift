internal import ClusterModel
internal import TendrilCore

/// What kube-apiserver puts on record of the requests to it: lines of JSON on its standard output, where the seed's collector of
/// logs finds them.
///
/// Source: Kubernetes documentation, "Auditing"; audit.k8s.io/v1 is served by all releases from 1.12 on.
enum AuditPolicy {
    /// The file's name beside kube-apiserver's other configuration.
    static let file = "audit.json"

    /// The policy; `nil` where nothing is put on record.
    static func document(_ level: Shoot.AuditLevel?) -> JSONValue? {
        guard let level, level != .nothing else { return nil }
        return [
            "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
            "rules": .array(rules(level.rawValue)),
        ]
    }

    /// The first that fits a request decides.
    private static func rules(_ level: String) -> [JSONValue] {
        func group(_ name: String, _ resources: [JSONValue] = []) -> JSONValue {
            ["group": .string(name), "resources": .array(resources)]
        }
        return [
            ["level": "None", "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*", "/version", "/metrics"]],
            // What only says that somebody is there, many times a minute.
            [
                "level": "None",
                "resources": [group("", ["events"]), group("events.k8s.io"), group("coordination.k8s.io", ["leases"])],
            ],
            // Their bodies are secrets, or hold some.
            [
                "level": "Metadata",
                "resources": [
                    group("", ["secrets", "configmaps", "serviceaccounts/token"]), group("authentication.k8s.io"),
                ],
            ],
            ["level": "Metadata", "verbs": ["get", "list", "watch"]],
            ["level": .string(level)],
        ]
    }

    /// What kube-apiserver is told of it.
    static func flags(_ level: Shoot.AuditLevel?) -> [String] {
        document(level) == nil ? [] : ["--audit-policy-file=/srv/configuration/\(file)", "--audit-log-path=-"]
    }
}
