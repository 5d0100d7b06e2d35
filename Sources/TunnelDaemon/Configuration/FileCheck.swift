import ClusterModel
import LinuxSystem
import TLSEngine
import TendrilCore

/// Judges the files that a configuration names, and the dates of the certificates in them.
struct FileCheck {
    private let now: UInt64
    private var problems: [ConfigurationProblem] = []
    private var dates: [String] = []

    private init(at now: UInt64) { self.now = now }

    /// Judges all of them.
    ///
    /// - Parameters:
    ///   - configuration: names them.
    ///   - now: in seconds since 1970.
    /// - Returns: until when each certificate is valid, a line each.
    /// - Throws: everything that is wrong, with the setting that names the file.
    static func dates(of configuration: VPNConfiguration, at now: UInt64) throws(ConfigurationError) -> [String] {
        var check = FileCheck(at: now)
        check.judgeIdentity(configuration)
        if let settings = configuration.egressOverTLS { check.judgeEgress(settings) }
        if let path = configuration.nodesKubeconfig {
            check.attempt(Setting.nodesKubeconfig.key) { try NodeFollower.check(path) }
        }
        guard check.problems.isEmpty else { throw ConfigurationError(check.problems) }
        return check.dates
    }

    private mutating func judgeIdentity(_ configuration: VPNConfiguration) {
        let files = configuration.files
        let areRead = [
            readAuthorities(.ca, files.authorities), readChain(.certificate, files.certificate),
            read(.key, files.key) { _ = try KeyPair(pem: Secret($0)) },
            read(.gateKey, files.gateKey) { _ = try GateKeys(file: $0) },
        ]
        // What does not fit together is found by putting it together: the certificate with its role, or with the key.
        if !areRead.contains(false) {
            attempt(Setting.certificate.key) { _ = try IdentityStore(configuration) }
        }
    }

    private mutating func judgeEgress(_ settings: VPNConfiguration.EgressOverTLS) {
        let areRead = [
            readAuthorities(.egressAuthority, settings.authority), readChain(.egressCertificate, settings.certificate),
            read(.egressKey, settings.key) { _ = try KeyPair(pem: Secret($0)) },
        ]
        if !areRead.contains(false) {
            attempt(Setting.egressListen.key) { try SecureEgress.check(settings) }
        }
    }

    /// Reads CAs, of which one that is valid is enough: while they are exchanged an old one stands beside it.
    private mutating func readAuthorities(_ setting: Setting, _ path: String) -> Bool {
        guard let found = certificates(setting, path) else { return false }
        let isEnough = found.contains { validityProblem($0.facts) == nil }
        for (field, facts) in found {
            guard let problem = validityProblem(facts) else {
                noteDate(field, facts)
                continue
            }
            if isEnough { dates.append("\(field): \(problem)") } else { problems.add(field, problem) }
        }
        return true
    }

    /// Reads a certificate with its intermediates, which all have to be valid.
    private mutating func readChain(_ setting: Setting, _ path: String) -> Bool {
        guard let found = certificates(setting, path) else { return false }
        for (field, facts) in found {
            if let problem = validityProblem(facts) { problems.add(field, problem) } else { noteDate(field, facts) }
        }
        return true
    }

    /// The certificates of a file, each with what it is called.
    private mutating func certificates(
        _ setting: Setting,
        _ path: String
    ) -> [(field: String, facts: CertificateFacts)]? {
        guard let bytes = read(setting, path),
            let found = attempt(setting.key, { try CertificateFacts.bundle(bytes, "certificates") })
        else { return nil }
        guard !found.isEmpty else {
            problems.add(setting.key, "\(path) holds no certificate in PEM")
            return nil
        }
        return found.enumerated().map { index, facts in
            (found.count == 1 ? setting.key : "\(setting.key)[\(index)]", facts)
        }
    }

    /// Reads a file, and judges what it holds by itself.
    private mutating func read(_ setting: Setting, _ path: String, _ judge: ([UInt8]) throws -> Void) -> Bool {
        guard let bytes = read(setting, path) else { return false }
        return attempt(setting.key, { try judge(bytes) }) != nil
    }

    private mutating func read(_ setting: Setting, _ path: String) -> [UInt8]? {
        attempt(setting.key) { try DurableFile.read(path) }
    }

    private mutating func noteDate(_ field: String, _ facts: CertificateFacts) {
        dates.append("\(field): valid until \(KubernetesTime.text(seconds: facts.expiry))")
    }

    private func validityProblem(_ facts: CertificateFacts) -> String? {
        if facts.start > now { return "is not valid before \(KubernetesTime.text(seconds: facts.start))" }
        return facts.expiry < now ? "expired at \(KubernetesTime.text(seconds: facts.expiry))" : nil
    }

    /// Does something; that it fails is a problem of the field.
    @discardableResult
    private mutating func attempt<Value>(_ field: String, _ body: () throws -> Value) -> Value? {
        do {
            return try body()
        } catch {
            problems.add(field, "\(error)")
            return nil
        }
    }
}
