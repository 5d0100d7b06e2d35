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
/// What is not done here is refused where one would be somebody else without it, or believe somebody else: programs that bring
/// credentials, passwords, impersonation, other names of servers, and servers without proof.
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
    package init(path: String) throws { try self.init([Source.file(path)], context: nil) }

    /// Reads files as kubectl merges them: what several name is what the first of them says.
    ///
    /// - Parameters:
    ///   - paths: those that are not there are passed over, unless there is but one.
    ///   - context: the context's name; `nil` for the current one.
    /// - Throws: where a file cannot be read, or the context leads to no server.
    package init(paths: [String], context: String?) throws {
        let there = paths.count > 1 ? paths.filter { access($0, F_OK) == 0 } : paths
        try self.init(try there.map { try Source.file($0) }, context: context)
    }

    /// Reads a document that came over the network: it names no file of this machine, for whoever wrote it may not read those.
    package init(remote bytes: [UInt8]) throws {
        try self.init([Source(bytes, directory: nil, title: "kubeconfig")], context: nil)
    }

    /// A document; relative paths in it begin at `directory`, and without one it must name none.
    private struct Source {
        let document: JSONValue
        let directory: String?
        /// What an error begins with.
        let title: String

        init(_ bytes: [UInt8], directory: String?, title: String) throws {
            (document, self.directory, self.title) = (try YAMLParser.parse(bytes).json, directory, title)
        }

        /// Reads a file.
        static func file(_ path: String) throws(KubeconfigError) -> Source {
            let directory = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
            do {
                return try Source(try DurableFile.read(path), directory: directory, title: "kubeconfig \(path)")
            } catch {
                throw KubeconfigError(description: "kubeconfig \(path): \(error)")
            }
        }

        /// An entry of one of its lists.
        func entry(_ name: String, in list: String) -> JSONValue? {
            document[list]?.items.first { $0["name"]?.text == name }
        }
    }

    /// What the first document that names something says of it; what is empty there is as if it were not.
    private struct Entry {
        /// What is as good as nothing.
        private static let nothing: [JSONValue] = [.null, "", false, [], [:]]

        private let fields: JSONValue
        private let directory: String?
        /// What an error begins with.
        private let place: String

        init?(_ name: String?, _ kind: String, _ sources: [Source]) {
            for source in sources {
                guard let name, let found = source.entry(name, in: "\(kind)s")?[kind] else { continue }
                (fields, directory) = (found, source.directory)
                place = "\(source.title): \(kind)s[\(name)].\(kind)"
                return
            }
            return nil
        }

        func text(_ key: String) -> String? { fields[key]?.text.flatMap { $0.isEmpty ? nil : $0 } }

        /// The path of a file that it names.
        func path(_ key: String) throws(KubeconfigError) -> String? {
            guard let text = text(key) else { return nil }
            guard let directory else { throw problem(key, "names a file, and the kubeconfig is none itself: \(text)") }
            return text.hasPrefix("/") ? text : directory + text
        }

        /// What a file holds that it names.
        func bytes(inFile key: String) throws(KubeconfigError) -> [UInt8]? {
            guard let path = try path(key) else { return nil }
            do throws(SystemError) {
                return try DurableFile.read(path)
            } catch {
                throw problem(key, "cannot be used: \(error)")
            }
        }

        /// What stands in it, or else in a file that it names.
        func bytes(_ key: String) throws(KubeconfigError) -> [UInt8]? {
            guard let text = text("\(key)-data") else { return try bytes(inFile: key) }
            guard let bytes = [UInt8](base64: text) else { throw problem("\(key)-data", "is not base64") }
            return bytes
        }

        /// Refuses what is not done here: without it one would be somebody else, or believe somebody else.
        func refuse(_ keys: String..., because reason: String) throws(KubeconfigError) {
            for key in keys {
                if let value = fields[key], !Self.nothing.contains(value) {
                    throw problem(key, "is not supported: \(reason)")
                }
            }
        }

        func problem(_ key: String, _ reason: String) -> KubeconfigError {
            KubeconfigError(description: "\(place).\(key) \(reason)")
        }
    }

    private init(_ sources: [Source], context name: String?) throws {
        let title = sources.isEmpty ? "kubeconfig" : sources.map(\.title).joined(separator: ", ")
        func problem(_ reason: String) -> KubeconfigError { KubeconfigError(description: "\(title): \(reason)") }
        let currents = sources.compactMap { $0.document["current-context"]?.text }
        guard let current = name ?? currents.first(where: { !$0.isEmpty }) else {
            throw problem("there is no current context")
        }
        guard let context = Entry(current, "context", sources),
            let cluster = Entry(context.text("cluster"), "cluster", sources), let server = cluster.text("server")
        else { throw problem("the context \(current) leads to no server") }
        guard server.hasPrefix("https://") else { throw cluster.problem("server", "is not https: \(server)") }
        guard let user = Entry(context.text("user"), "user", sources) else {
            throw problem("the context \(current) leads to no user")
        }
        try cluster.refuse("insecure-skip-tls-verify", because: "name the CA in certificate-authority")
        try cluster.refuse("tls-server-name", because: "the server has to show the name that is in server")
        let trust = try cluster.bytes("certificate-authority").map { HTTPSecurity.Trust.bundle($0) } ?? .system
        namespace = context.text("namespace")
        self.server = server.hasSuffix("/") ? String(server.dropLast()) : server
        security = HTTPSecurity(
            trust: trust,
            credential: try Self.credential(of: user),
            proxy: cluster.text("proxy-url") ?? ""
        )
    }

    /// How a user proves who it is; a certificate counts before a token, a token in a file before one that stands there.
    private static func credential(of user: Entry) throws(KubeconfigError) -> HTTPSecurity.Credential {
        try user.refuse("exec", "auth-provider", because: "no program is run; use a certificate or a token")
        try user.refuse("username", "password", because: "use a certificate or a token")
        try user.refuse("as", "as-uid", "as-groups", "as-user-extra", because: "nobody is impersonated")
        switch (try user.bytes("client-certificate"), try user.bytes("client-key")) {
        case (let certificate?, let key?): return .certificate(certificate, key: Secret(key))
        case (_?, nil): throw user.problem("client-certificate", "has no client-key beside it")
        case (nil, _?): throw user.problem("client-key", "has no client-certificate beside it")
        case (nil, nil): break
        }
        if let path = try user.path("tokenFile") {
            _ = try user.bytes(inFile: "tokenFile")
            return .tokenFile(path)
        }
        guard let token = user.text("token") else { return HTTPSecurity.Credential.none }
        return .token(Secret(Array(token.utf8)))
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
}
