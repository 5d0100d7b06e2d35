internal import FoundationEssentials
package import HTTPModel
internal import LinuxSystem
internal import StrictYAML
internal import TendrilCore

/// A kubeconfig that cannot be used; trying again cannot help.
package struct KubeconfigError: Error, CustomStringConvertible {
    package let description: String
}

/// Where an API server is and how to speak to it, from a kubeconfig's current context (Kubernetes documentation,
/// "Organizing Cluster Access Using kubeconfig Files").
///
/// Programs that bring credentials are not run.
package struct Kubeconfig: Sendable {
    package let server: String
    package let security: HTTPSecurity
    /// The namespace that is meant where none is named; `nil` where the context says none.
    package let namespace: String?

    /// Reads a file.
    package init(path: String) throws {
        try self.init(try DurableFile.read(path), directory: path.lastIndex(of: "/").map { String(path[...$0]) } ?? "")
    }

    /// Reads a document that came over the network: it names no file of this machine, for whoever wrote it may not read those.
    package init(remote bytes: [UInt8]) throws { try self.init(bytes, directory: nil) }

    /// Reads a document; relative paths in it begin at `directory`, and without one it must name none.
    private init(_ bytes: [UInt8], directory: String?) throws {
        let document = try YAMLParser.parse(bytes).json
        guard let current = document["current-context"]?.text,
            let context = Self.named(current, in: document["contexts"])?["context"],
            let cluster = context["cluster"]?.text.flatMap({ Self.named($0, in: document["clusters"]) })?["cluster"],
            let server = cluster["server"]?.text
        else { throw KubeconfigError(description: "the kubeconfig's current context leads to no server") }
        guard server.hasPrefix("https://") else {
            throw KubeconfigError(description: "the server \(server) is not https")
        }
        let user = context["user"]?.text.flatMap { Self.named($0, in: document["users"]) }?["user"] ?? .object([:])
        for key in ["exec", "auth-provider", "username"] where user[key] != nil {
            throw KubeconfigError(description: "users.user.\(key) is not supported: use a certificate or a token")
        }
        guard cluster["insecure-skip-tls-verify"] != .bool(true) else {
            throw KubeconfigError(description: "insecure-skip-tls-verify is not supported")
        }
        let material = Material(directory: directory)
        let trust =
            try material.bytes(cluster, "certificate-authority").map { HTTPSecurity.Trust.bundle($0) } ?? .system
        var credential = HTTPSecurity.Credential.none
        if let certificate = try material.bytes(user, "client-certificate"),
            let key = try material.bytes(user, "client-key")
        {
            credential = .certificate(certificate, key: Secret(key))
        } else if let token = user["token"]?.text {
            credential = .token(Secret(Array(token.utf8)))
        } else if let file = user["tokenFile"]?.text {
            let path = try material.path(file)
            _ = try DurableFile.read(path)
            credential = .tokenFile(path)
        }
        namespace = context["namespace"]?.text
        self.server = server.hasSuffix("/") ? String(server.dropLast()) : server
        security = HTTPSecurity(trust: trust, credential: credential, proxy: cluster["proxy-url"]?.text ?? "")
    }

    /// What a pod finds of its own cluster (Kubernetes documentation, "Accessing the Kubernetes API from a Pod").
    package static func inCluster(_ environment: [String: String]) throws -> Kubeconfig {
        guard let host = environment["KUBERNETES_SERVICE_HOST"], let port = environment["KUBERNETES_SERVICE_PORT"]
        else { throw KubeconfigError(description: "this is no pod, and no kubeconfig is named") }
        let directory = "/var/run/secrets/kubernetes.io/serviceaccount"
        return Kubeconfig(
            server: "https://\(host.contains(":") ? "[\(host)]" : host):\(port)",
            security: HTTPSecurity(
                trust: .bundle(try DurableFile.read("\(directory)/ca.crt")),
                credential: .tokenFile("\(directory)/token")
            )
        )
    }

    private init(server: String, security: HTTPSecurity) {
        (self.server, self.security, namespace) = (server, security, nil)
    }

    private static func named(_ name: String, in list: JSONValue?) -> JSONValue? {
        guard case .array(let items)? = list else { return nil }
        return items.first { $0["name"]?.text == name }
    }

    private struct Material {
        let directory: String?

        func bytes(_ fields: JSONValue, _ name: String) throws -> [UInt8]? {
            if let text = fields["\(name)-data"]?.text {
                guard let data = Data(base64Encoded: text) else {
                    throw KubeconfigError(description: "\(name)-data is not base64")
                }
                return Array(data)
            }
            return try fields[name]?.text.map { try DurableFile.read(path($0)) }
        }

        func path(_ text: String) throws(KubeconfigError) -> String {
            guard let directory else {
                throw KubeconfigError(description: "the kubeconfig is not a file, and names one: \(text)")
            }
            return text.hasPrefix("/") ? text : directory + text
        }
    }
}
