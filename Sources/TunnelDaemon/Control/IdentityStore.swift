import LinuxSystem
import TLSEngine
import TendrilCore
import TunnelProtocol

/// This side's certificates, keys and gate keys, as they are in the files now.
final class Identity: Sendable {
    let context: TLSContext
    let gate: GateKeys
    let credentials: Credentials

    init(_ files: VPNConfiguration.Files, role: TunnelIdentity.Role, ciphers: [CipherSuite]) throws {
        let credentials = Credentials(
            authorities: try Self.read(.ca, files.authorities),
            certificate: try Self.read(.certificate, files.certificate),
            key: Secret(try Self.read(.key, files.key))
        )
        let gate = try GateKeys(file: try Self.read(.gateKey, files.gateKey))
        var stamp: (@Sendable ([UInt8]) -> [UInt8])?
        if role == .client {
            stamp = { random in
                GateToken(random: random, unixTime: Clock.unixTime(), authenticate: gate.authenticate).payload
            }
        }
        self.context = try TLSContext(credentials, role: role, ciphers: ciphers, stamp: stamp)
        self.credentials = credentials
        self.gate = gate
    }

    private static func read(_ setting: Setting, _ path: String) throws(ConfigurationError) -> [UInt8] {
        try ConfigurationError.naming(setting.key) { try DurableFile.read(path) }
    }

    /// Whether connections made under the other identity need not be made anew.
    func isSameForTLS(as other: Identity) -> Bool {
        credentials.authorities == other.credentials.authorities
            && credentials.certificate == other.credentials.certificate
    }
}

/// Loads the identity, and loads it again when a file changes.
struct IdentityStore {
    private let files: VPNConfiguration.Files
    private let role: TunnelIdentity.Role
    private let ciphers: [CipherSuite]
    private var changes: FileChanges
    private(set) var current: Identity

    init(_ configuration: VPNConfiguration) throws {
        files = configuration.files
        role = configuration.role
        ciphers = configuration.ciphers
        changes = FileChanges([files.authorities, files.certificate, files.key, files.gateKey])
        current = try Identity(files, role: role, ciphers: ciphers)
    }

    /// Looks at the files; when they changed and have come to rest, loads them.
    ///
    /// A failure keeps the old identity.
    ///
    /// - Parameter now: the time of this look.
    /// - Returns: the identity before the change, when there was one.
    /// - Throws: why the files cannot be read or used.
    mutating func refresh(at now: MonotonicTime) throws -> Identity? {
        let (files, role, ciphers) = (files, role, ciphers)
        let fresh = try changes.take(at: now) { try Identity(files, role: role, ciphers: ciphers) }
        guard let fresh else { return nil }
        defer { current = fresh }
        return current
    }

    /// Has the next look load the files, whatever they look like.
    mutating func forget() { changes.forget() }
}
