internal import ClusterModel
internal import Glibc
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

    /// The files that kubectl reads where none is named; an empty variable names none.
    package static func paths(_ environment: [String: String]) -> [String] {
        let named = (environment["KUBECONFIG"] ?? "").split(separator: ":").map { String($0) }
        return named.isEmpty ? ["\(environment["HOME"] ?? "")/.kube/config"] : named
    }

    /// Reads a file.
    package init(path: String) throws { try self.init([Source(path)], context: nil) }

    /// Reads files as kubectl merges them: what several name is what the first of them says.
    ///
    /// - Parameters:
    ///   - paths: those that are not there are passed over, unless there is but one.
    ///   - context: the context's name; `nil` for the current one.
    /// - Throws: where a file cannot be read, or the context leads to no server.
    package init(paths: [String], context: String?) throws {
        let there = paths.count > 1 ? paths.filter { access($0, F_OK) == 0 } : paths
        try self.init(try there.map { try Source($0) }, context: context)
    }

    /// Reads a document that came over the network: it names no file of this machine, for whoever wrote it may not read those.
    package init(remote bytes: [UInt8]) throws { try self.init([Source(bytes, directory: nil)], context: nil) }

    /// A document; relative paths in it begin at `directory`, and without one it must name none.
    private struct Source {
        let document: JSONValue
        let directory: String?

        init(_ bytes: [UInt8], directory: String?) throws {
            (document, self.directory) = (try YAMLParser.parse(bytes).json, directory)
        }

        init(_ path: String) throws {
            let directory = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
            try self.init(try DurableFile.read(path), directory: directory)
        }

        /// An entry of one of its lists.
        func entry(_ name: String, in list: String) -> JSONValue? {
            document[list]?.items.first { $0["name"]?.text == name }
        }
    }

    /// What the first document that names something says of it.
    private struct Entry {
        var fields: JSONValue = [:]
        var material = Material(directory: nil)

        init() {}

        init?(_ name: String?, _ kind: String, _ sources: [Source]) {
            for source in sources {
                guard let name, let found = source.entry(name, in: "\(kind)s")?[kind] else { continue }
                (fields, material) = (found, Material(directory: source.directory))
                return
            }
            return nil
        }
    }

    private init(_ sources: [Source], context name: String?) throws {
        let currents = sources.compactMap { $0.document["current-context"]?.text }
        guard let current = name ?? currents.first(where: { !$0.isEmpty }) else {
            throw KubeconfigError(description: "the kubeconfig has no current context")
        }
        guard let context = Entry(current, "context", sources)?.fields,
            let entry = Entry(context["cluster"]?.text, "cluster", sources),
            case let cluster = entry.fields, let server = cluster["server"]?.text
        else { throw KubeconfigError(description: "the kubeconfig's context \(current) leads to no server") }
        guard server.hasPrefix("https://") else {
            throw KubeconfigError(description: "the server \(server) is not https")
        }
        let owner = Entry(context["user"]?.text, "user", sources) ?? Entry()
        let user = owner.fields
        for key in ["exec", "auth-provider", "username"] where user[key] != nil {
            let name = context["user"]?.text ?? ""
            let reason = "is not supported, no program is run: use a certificate or a token"
            throw KubeconfigError(description: "users[\(name)].user.\(key) \(reason)")
        }
        guard cluster["insecure-skip-tls-verify"] != .bool(true) else {
            throw KubeconfigError(description: "insecure-skip-tls-verify is not supported")
        }
        let trust =
            try entry.material.bytes(cluster, "certificate-authority").map { HTTPSecurity.Trust.bundle($0) } ?? .system
        var credential = HTTPSecurity.Credential.none
        if let certificate = try owner.material.bytes(user, "client-certificate"),
            let key = try owner.material.bytes(user, "client-key")
        {
            credential = .certificate(certificate, key: Secret(key))
        } else if let token = user["token"]?.text {
            credential = .token(Secret(Array(token.utf8)))
        } else if let file = user["tokenFile"]?.text {
            let path = try owner.material.path(file)
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

    private struct Material {
        let directory: String?

        func bytes(_ fields: JSONValue, _ name: String) throws -> [UInt8]? {
            if let text = fields["\(name)-data"]?.text {
                guard let bytes = [UInt8](base64: text) else {
                    throw KubeconfigError(description: "\(name)-data is not base64")
                }
                return bytes
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
