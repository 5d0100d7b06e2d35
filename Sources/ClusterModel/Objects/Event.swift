/// core/v1 Event.
package struct Event: KubernetesObject {
    /// What the event is about.
    package struct Reference: Codable, Hashable, Sendable {
        package var apiVersion: String?
        package var kind: String
        package var name: String
        package var namespace: String?
        package var uid: String?

        package init(
            apiVersion: String? = nil,
            kind: String,
            name: String,
            namespace: String? = nil,
            uid: String? = nil
        ) {
            (self.apiVersion, self.kind, self.name) = (apiVersion, kind, name)
            (self.namespace, self.uid) = (namespace, uid)
        }
    }
    /// Who reports.
    package struct Source: Codable, Hashable, Sendable {
        package var component: String
        package var host: String?

        package init(component: String, host: String? = nil) { (self.component, self.host) = (component, host) }
    }

    package static let resource = ResourceKind(plural: "events", isNamespaced: true)
    package var apiVersion: String? = "v1"
    package var kind: String? = "Event"
    package var metadata: ObjectMetadata
    package var involvedObject: Reference
    package var reason: String
    package var message: String
    /// `Normal` or `Warning`.
    package var type: String
    package var source: Source
    package var firstTimestamp: String?
    package var lastTimestamp: String?
    package var count: Int?

    package init(
        _ reason: String,
        _ message: String,
        isWarning: Bool,
        about object: Reference,
        from source: Source,
        at time: UInt64
    ) {
        metadata = ObjectMetadata(
            namespace: object.namespace ?? "default",
            generateName: "\(object.name.lowercased())."
        )
        (involvedObject, self.reason, self.source) = (object, reason, source)
        // The API takes at most 1 KiB.
        self.message = String(message.prefix(1000))
        type = isWarning ? "Warning" : "Normal"
        let moment = KubernetesTime.text(seconds: time)
        (firstTimestamp, lastTimestamp, count) = (moment, moment, 1)
    }
}
