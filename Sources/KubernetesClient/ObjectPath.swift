internal import ClusterModel
package import TendrilCore

/// Where the API serves an object that is known as a document only.
package enum ObjectPath {
    /// The path of an object; `nil` where it does not say what it is.
    package static func path(of object: JSONValue) -> String? {
        guard let name = object["metadata"]?["name"]?.text else { return nil }
        return path(
            object["apiVersion"]?.text,
            kind: object["kind"]?.text,
            namespace: object["metadata"]?["namespace"]?.text,
            name: name
        )
    }

    /// The path of an object of this kind.
    package static func path(_ apiVersion: String?, kind: String?, namespace: String?, name: String?) -> String? {
        guard let apiVersion, let kind, !kind.isEmpty else { return nil }
        let parts = apiVersion.split(separator: "/")
        guard let version = parts.last, (1...2).contains(parts.count) else { return nil }
        let resource = ResourceKind(
            group: parts.count == 2 ? String(parts[0]) : "",
            version: String(version),
            plural: plural(kind),
            isNamespaced: namespace != nil
        )
        return resource.path(namespace: namespace, name: name)
    }

    /// A path without its version: what the API serves in several versions is one object.
    package static func withoutVersion(_ path: String) -> String {
        var parts = path.split(separator: "/", omittingEmptySubsequences: false)
        // /api/VERSION/…, but /apis/GROUP/VERSION/….
        let version = path.hasPrefix("/apis/") ? 3 : 2
        guard parts.indices.contains(version) else { return path }
        parts.remove(at: version)
        return parts.joined(separator: "/")
    }

    /// The plural of a kind as Kubernetes forms it.
    private static func plural(_ kind: String) -> String {
        let singular = kind.lowercased()
        if singular == "endpoints" { return singular }
        if singular.hasSuffix("s") { return singular + "es" }
        return singular.hasSuffix("y") ? String(singular.dropLast()) + "ies" : singular + "s"
    }
}
