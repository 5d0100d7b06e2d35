package import ClusterModel
package import TendrilCore

/// node.tendril.dev/v1alpha1 NodeConfiguration: what the machines of a pool are to be, signed by the coordinator.
package struct NodeConfiguration: Codable, Hashable, Sendable {
    package static let apiVersion = "node.tendril.dev/v1alpha1"
    package static let kind = "NodeConfiguration"

    /// Which configuration it is.
    package struct Metadata: Codable, Hashable, Sendable {
        package var pool: String
        /// Grows with every change; an agent takes none that is older than what it has.
        package var generation: Int

        package init(pool: String, generation: Int) { (self.pool, self.generation) = (pool, generation) }
    }

    /// What is in a file.
    package struct Content: Codable, Hashable, Sendable {
        /// The text itself.
        package var inline: String?
        /// The bytes themselves, in base64.
        package var base64: String?
        /// Followed as the Secret changes.
        package var secretRef: SecretReference?
        package var image: ImageFile?

        package init(
            inline: String? = nil,
            base64: String? = nil,
            secretRef: SecretReference? = nil,
            image: ImageFile? = nil
        ) {
            (self.inline, self.base64, self.secretRef, self.image) = (inline, base64, secretRef, image)
        }
    }

    /// A file in an OCI image, which containerd pulls.
    package struct ImageFile: Codable, Hashable, Sendable {
        /// By digest, such as `registry.example/kubelet@sha256:…`.
        package var reference: String
        /// Where the file is in the image.
        package var path: String
        /// The file's digest in hexadecimal digits: what is believed, whoever served the image.
        package var sha256: String

        package init(reference: String, path: String, sha256: String) {
            (self.reference, self.path, self.sha256) = (reference, path, sha256)
        }
    }

    /// A key of a Secret in kube-system.
    package struct SecretReference: Codable, Hashable, Sendable {
        package var name: String
        package var key: String

        package init(name: String, key: String) { (self.name, self.key) = (name, key) }
    }

    /// One file.
    package struct File: Codable, Hashable, Sendable {
        package var path: String
        /// Octal digits, such as "0644"; "0600" where it is missing.
        package var mode: String?
        package var content: Content

        package init(path: String, mode: String? = nil, content: Content) {
            (self.path, self.mode, self.content) = (path, mode, content)
        }
    }

    /// A part laid over a unit.
    package struct DropIn: Codable, Hashable, Sendable {
        /// Ends in `.conf`.
        package var name: String
        package var content: String

        package init(name: String, content: String) { (self.name, self.content) = (name, content) }
    }

    /// What a unit does once it is written.
    package enum UnitState: String, CaseIterable, Codable, Sendable {
        case started
        case stopped
        /// Written and enabled as told, but neither started nor stopped.
        case untouched

        package init(from decoder: any Decoder) throws {
            guard let state = Self(rawValue: try decoder.singleValueContainer().decode(String.self)) else {
                let cause = UnknownChoice(choices: Self.allCases.map(\.rawValue))
                throw DecodingError.dataCorrupted(
                    DecodingError.Context(
                        codingPath: decoder.codingPath,
                        debugDescription: cause.description,
                        underlyingError: cause
                    )
                )
            }
            self = state
        }
    }

    /// One systemd unit.
    package struct Unit: Codable, Hashable, Sendable {
        package var name: String
        /// The whole unit; `nil` for one of the operating system's.
        package var content: String?
        package var dropIns: [DropIn]?
        /// Whether it starts at boot; left as it is where this is missing.
        package var enabled: Bool?
        /// `started` where it is missing.
        package var state: UnitState?
        /// Files whose change restarts it.
        package var restartOn: [String]?

        package init(
            name: String,
            content: String? = nil,
            dropIns: [DropIn]? = nil,
            enabled: Bool? = nil,
            state: UnitState? = nil,
            restartOn: [String]? = nil
        ) {
            (self.name, self.content, self.dropIns, self.enabled) = (name, content, dropIns, enabled)
            (self.state, self.restartOn) = (state, restartOn)
        }
    }

    /// The kubelet.
    package struct Kubelet: Codable, Hashable, Sendable {
        /// Such as `1.20.2`.
        package var version: String
        /// Where the program is; `/usr/bin/kubelet` where this is missing.
        package var binary: String?
        /// Fields of KubeletConfiguration (kubelet.config.k8s.io/v1beta1) that override ours.
        package var configuration: JSONValue?
        package var labels: [String: String]?
        package var taints: [Node.Taint]?
        /// Further flags, each as one argument.
        package var extraArguments: [String]?
        /// Environment of the unit.
        package var environment: [String: String]?

        package init(version: String) { self.version = version }
    }

    /// The container runtime.
    package struct ContainerRuntime: Codable, Hashable, Sendable {
        package static let defaultUnit = "containerd.service"

        /// `unix:///run/containerd/containerd.sock` where it is missing.
        package var endpoint: String?
        /// `containerd.service` where it is missing.
        package var unit: String?

        package init(endpoint: String? = nil, unit: String? = nil) { (self.endpoint, self.unit) = (endpoint, unit) }
    }

    /// How long a new generation has to prove itself.
    package struct Health: Codable, Hashable, Sendable {
        /// How long all has to be well without a break; 30 where it is missing.
        package var holdSeconds: Int?
        /// How long it may take until all is well; 300 where it is missing.
        package var timeoutSeconds: Int?

        package init(holdSeconds: Int? = nil, timeoutSeconds: Int? = nil) {
            (self.holdSeconds, self.timeoutSeconds) = (holdSeconds, timeoutSeconds)
        }
    }

    /// The certificate by which the machine's tunnel client proves itself; the agent fetches and renews it.
    package struct TunnelCertificate: Codable, Hashable, Sendable {
        /// The file of certificate and key in PEM, which `tendril-vpn` notices when it changes.
        package var path: String

        package init(path: String) { self.path = path }

        /// The file; its content comes from the agent.
        package var file: File { File(path: path, mode: "0600", content: Content()) }
    }

    /// By which keys the machine's certificates are to be signed: subject key identifiers of CAs in hexadecimal digits
    /// (RFC 5280 section 4.2.1.2).
    package struct CertificateIssuers: Codable, Hashable, Sendable {
        /// The agent's own certificate, and that of the tunnel's client.
        package var agent: String
        /// The one by which the kubelet comes to the API server.
        package var kubelet: String
        /// The one with which the kubelet serves.
        package var kubeletServing: String

        package init(agent: String, kubelet: String, kubeletServing: String) {
            (self.agent, self.kubelet, self.kubeletServing) = (agent, kubelet, kubeletServing)
        }
    }

    /// What is wanted.
    package struct Spec: Codable, Hashable, Sendable {
        package var files: [File]?
        package var units: [Unit]?
        package var kubelet: Kubelet?
        package var containerRuntime: ContainerRuntime?
        /// The CA bundle of the cluster in PEM, once another one than the user data's is to be believed.
        package var certificateAuthority: String?
        /// The Ed25519 keys in base64 of which one has to sign the next configuration, once others than the user data's
        /// are to be believed.
        package var configurationKeys: [String]?
        /// Certificates that others issued are replaced before the generation counts as applied.
        package var certificateIssuers: CertificateIssuers?
        package var health: Health?
        /// The certificate of the machine's tunnel client, where one runs.
        package var tunnelCertificate: TunnelCertificate?
        /// Machines that say that they are of another class leave it alone, for they are replaced; for all machines of
        /// the pool where it is missing.
        package var machineClass: String?
        /// How many machines of the cluster may restart what pods depend on at the same time; 1 where it is missing.
        package var restartBudget: Int?

        package init() {}

        /// The names of the Secrets that files are followed from.
        package var secretNames: Set<String> { Set((files ?? []).compactMap { $0.content.secretRef?.name }) }

        /// The files whose content changes without a new generation.
        package var followedFiles: [File] {
            (files ?? []).filter { $0.content.secretRef != nil } + (tunnelCertificate.map { [$0.file] } ?? [])
        }

        /// Where the files are whose content changes without a new generation.
        package var followedPaths: Set<String> { Set(followedFiles.map(\.path)) }

        /// Whether a change of this file restarts a unit, or is one of a unit itself.
        package func isWaitedFor(_ path: String) -> Bool {
            let triggers = (units ?? []).flatMap { $0.restartOn ?? [] } + (kubelet.map(KubeletRendering.triggers) ?? [])
            return path.hasPrefix(UnitName.directory + "/") || triggers.contains(path)
        }

        /// The container runtime's unit.
        package var runtimeUnit: String { containerRuntime?.unit ?? ContainerRuntime.defaultUnit }

        /// The units that have to be active for all to be well.
        package var supervisedUnits: [String] {
            let own = (units ?? []).filter { ($0.state ?? .started) == .started && !$0.mayEnd }.map(\.name)
            return own + (kubelet == nil ? [] : [KubeletPaths.unit, runtimeUnit])
        }
    }

    package var apiVersion: String
    package var kind: String
    package var metadata: Metadata
    package var spec: Spec

    package init(pool: String, generation: Int, spec: Spec) {
        (apiVersion, kind) = (Self.apiVersion, Self.kind)
        metadata = Metadata(pool: pool, generation: generation)
        self.spec = spec
    }

    /// Whether it is for machines of a class.
    ///
    /// One of another class keeps what it has until it is replaced; where either side says none, it is for all of the
    /// pool.
    package func isFor(machineClass own: String?) -> Bool {
        guard let own, let wanted = spec.machineClass else { return true }
        return own == wanted
    }
}

extension NodeConfiguration.Unit {
    /// Whether it is well after it has ended.
    var mayEnd: Bool { content.map(UnitText.isOneShot) ?? !name.hasSuffix(".service") }

    /// Whether systemd does not show afterwards that it has run.
    var isForgotten: Bool { content.map { UnitText.isOneShot($0) && !UnitText.remainsAfterExit($0) } ?? false }
}
