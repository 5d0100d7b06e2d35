import ArgumentParser
import ClusterModel
import CommandSupport
import Coordinator
import LinuxSystem
import NodePlan
import TLSEngine
import TendrilCore

/// The command `tendril-coordinator manifests`.
struct ManifestsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "manifests",
        abstract: "Print objects for a shoot or the garden, for `kubectl apply -f -`.",
        subcommands: [
            BootstrapManifestsCommand.self, TokenCommand.self, NodeConfigurationCommand.self, WebhookCommand.self,
        ]
    )
}

/// Prints documents as a List, which kubectl takes as JSON.
enum ManifestOutput {
    static func write(_ documents: [JSONValue]) throws {
        print(
            try CanonicalJSON.text(JSONValue.object(["apiVersion": "v1", "kind": "List", "items": .array(documents)]))
        )
    }
}

/// The command `tendril-coordinator manifests bootstrap`.
struct BootstrapManifestsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bootstrap",
        abstract: "What a shoot needs before its first machine comes: definitions, roles, Leases."
    )

    @Option(
        name: .long,
        help: "With --ca: the API server's URL for kube-public/cluster-info, for machines that trust by a pin."
    )
    var server: String?

    @Option(name: .long, help: "With --server: the CA bundle of the API server in PEM.", completion: .file())
    var ca: String?

    func validate() throws {
        guard (server == nil) == (ca == nil) else { throw ValidationError("--server and --ca go together") }
        guard server.map(AgentConfiguration.isServer) ?? true else {
            throw ValidationError("--server is not https://HOST:PORT")
        }
    }

    func run() throws {
        try orEnd(with: .configuration) {
            let clusterInfo = try server.flatMap { server in try ca.map { (server, try authorities($0)) } }
            try ManifestOutput.write(try BootstrapManifests.all(clusterInfo: clusterInfo))
        }
    }

    /// A CA bundle that a machine can believe.
    private func authorities(_ path: String) throws -> [UInt8] {
        let bytes = try DurableFile.read(path)
        guard try !CertificateFacts.bundle(bytes, "CA bundle").isEmpty else {
            throw ConfigurationError("--ca", "\(path) holds no certificate in PEM")
        }
        return bytes
    }
}

/// The command `tendril-coordinator manifests token`.
struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "A bootstrap token of a pool, or of one machine.",
        discussion: "Prints the Secret; the token's text goes to the file that --token-file names, with mode 0600."
    )

    @Option(name: .long, help: "The pool whose machines may use it.")
    var pool: String

    @Option(name: .long, help: "The one machine that it is for; it is void once that has its certificate.")
    var machine: String?

    @Option(name: .long, help: "What the names of the pool's machines begin with.")
    var namePrefix = ""

    @Option(name: .long, help: "For how many minutes it is valid: 1 to 10080.")
    var minutes = 10

    @Flag(name: .long, help: "Let the machine replace an identity that it has lost; needs --machine.")
    var allowRejoin = false

    @Option(
        name: .long,
        help: "Where to write the token's text; no file but an empty one is replaced.",
        completion: .file()
    )
    var tokenFile: String

    func validate() throws {
        guard NodeName.isLabel(pool) else { throw ValidationError("--pool is no DNS label in lower case") }
        guard machine.map(NodeName.isValid) ?? true else {
            throw ValidationError("--machine is no DNS name in lower case")
        }
        guard tokenFile != "-" else { throw ValidationError("--token-file must be a file: the Secret is printed") }
        guard (1...10080).contains(minutes) else { throw ValidationError("--minutes must be 1 to 10080") }
        guard !allowRejoin || machine != nil else { throw ValidationError("--allow-rejoin needs --machine") }
        // Names that only begin with it have no letter in upper case either, no space, and no hyphen at their beginning.
        guard namePrefix.isEmpty || NodeName.isValid(namePrefix + "0") else {
            throw ValidationError("--name-prefix is no beginning of a DNS name in lower case")
        }
        guard machine?.hasPrefix(namePrefix) ?? true else {
            throw ValidationError("--machine does not begin with --name-prefix")
        }
    }

    func run() throws {
        try orEnd(with: .operatingSystem) {
            let (text, secret) = try TokenManifest.make(
                pool: pool,
                machine: machine,
                namePrefix: namePrefix,
                lifetime: UInt64(minutes) * 60,
                allowsRejoin: allowRejoin
            )
            try SecretFile.write(
                Array((text + "\n").utf8),
                to: tokenFile,
                "--token-file",
                orElse: "name another one, or remove it",
                orNever: "name another one"
            )
            try ManifestOutput.write([try CanonicalJSON.value(secret)])
        }
    }
}

/// The command `tendril-coordinator manifests node-configuration`.
struct NodeConfigurationCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node-configuration",
        abstract: "A pool's configuration, signed, with what leads the pool's machines to it."
    )

    @Option(name: .long, help: "A NodeConfiguration in YAML.", completion: .file())
    var config: String

    @Option(
        name: .long,
        parsing: .singleValue,
        help: "A signing key in PEM; several during a rotation.",
        completion: .file()
    )
    var signingKey: [String]

    func run() throws {
        try orEnd(with: .configuration) {
            let configuration = try NodeConfigurationManifests.read(try DurableFile.read(config))
            let keys = try signingKey.map { try SigningKey(pem: Secret(try DurableFile.read($0))) }
            try ManifestOutput.write(try NodeConfigurationManifests.all(configuration, keys: keys))
        }
    }
}

/// The command `tendril-coordinator signing-key`.
struct SigningKeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "signing-key",
        abstract: "Make a key that signs configurations, and print its public half for `configurationKeys`."
    )

    @Option(
        name: .long,
        help: "Where the private key is written, with mode 0600; it must not exist.",
        completion: .file()
    )
    var out: String

    func run() throws {
        try orEnd(with: .operatingSystem) {
            print(try SigningKeyFile.make(at: out))
        }
    }
}

/// The command `tendril-coordinator manifests webhook`.
struct WebhookCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "webhook",
        abstract: "What the garden needs to ask the coordinator about Shoots before it stores them.",
        discussion: """
            A Secret with a new certificate for ten years, the Service, and a ValidatingWebhookConfiguration that believes \
            it. The coordinator has to be told, too: see webhook in its configuration.
            """
    )

    @Option(name: .long, help: "The namespace that the coordinator runs in.")
    var namespace = "tendril-system"

    func validate() throws {
        guard NodeName.isLabel(namespace) else {
            throw ValidationError("--namespace: \(namespace) is no DNS label in lower case")
        }
    }

    func run() throws {
        try orEnd(with: .operatingSystem) {
            try ManifestOutput.write(try WebhookManifests.all(namespace: namespace))
        }
    }
}
