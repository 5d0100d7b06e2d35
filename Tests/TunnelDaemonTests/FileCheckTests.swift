import TLSEngine
import TendrilCore
import TestSupport
import Testing
import TunnelDaemon

@Suite("The files that a configuration names")
struct FileCheckTests {
    /// A day in seconds.
    private static let day = 86400

    /// What `--check` tells of a set of files, after a change to it.
    private func told(_ change: (TestDirectory) throws -> Void) throws -> (dates: [String], problems: [String]) {
        let directory = try TestDirectory()
        defer { withExtendedLifetime(directory) {} }
        let pki = "\(directory.path)/pki"
        _ = try PairedCertificates(cluster: "a", servers: ["server"], clients: ["client"], days: 30).write(to: pki)
        try change(directory)
        var raw = RawSettings()
        raw.set(.ca, ["\(pki)/ca.crt"])
        raw.set(.certificate, ["\(pki)/server.crt"])
        raw.set(.key, ["\(pki)/server.key"])
        raw.set(.gateKey, ["\(pki)/gate.key"])
        raw.set(.packets, ["false"])
        let configuration = try ConfigurationValidator.validate(raw, role: .server)
        do throws(ConfigurationError) {
            return (try TunnelDaemon.check(configuration), [])
        } catch {
            return ([], error.problems.map(\.description))
        }
    }

    /// Puts a certificate of a day in the server's place.
    private func replaceCertificate(in directory: TestDirectory, from start: Int) throws {
        let identity = try #require(TunnelIdentity(cluster: "a", role: .server, name: "server"))
        let issuer = try CertificateIssuer(name: "a", days: 30)
        let issued = try issuer.issue(identity, days: 1, from: start)
        try directory.write("pki/server.crt", String(decoding: issued.certificate, as: UTF8.self))
        try directory.write("pki/server.key", issued.key.text)
    }

    @Test("are said to be valid, and until when")
    func valid() throws {
        let (dates, problems) = try told { _ in }
        #expect(problems.isEmpty && dates.count == 2, "\(problems)")
        #expect(dates.first?.hasPrefix("ca: valid until 20") == true, "\(dates)")
        #expect(dates.last?.hasPrefix("certificate: valid until 20") == true, "\(dates)")
    }

    @Test("are refused with a certificate that has expired, or is not valid yet", arguments: [-2, 2])
    func dates(_ days: Int) throws {
        let (_, problems) = try told { try replaceCertificate(in: $0, from: days * Self.day) }
        let expected = days < 0 ? "certificate: expired at 20" : "certificate: is not valid before 20"
        #expect(problems.count == 1 && problems.first?.hasPrefix(expected) == true, "\(problems)")
    }

    @Test("are all told that cannot be read, each with its setting")
    func together() throws {
        let (_, problems) = try told { directory in
            for name in ["ca.crt", "server.key", "gate.key"] { try directory.remove("pki/\(name)") }
            try directory.write("pki/server.crt", "none")
        }
        #expect(problems.map { $0.prefix { $0 != ":" } } == ["ca", "certificate", "key", "gateKey"], "\(problems)")
    }

    @Test("are refused where they do not belong together")
    func notOfOneSet() throws {
        let (_, problems) = try told { directory in
            let other = try CertificateIssuer(name: "a", days: 30)
            let identity = try #require(TunnelIdentity(cluster: "a", role: .server, name: "server"))
            try directory.write("pki/server.key", try other.issue(identity, days: 1).key.text)
        }
        let expected = "certificate: could not use the key; it does not belong to the certificate"
        #expect(problems.count == 1 && problems.first?.hasPrefix(expected) == true, "\(problems)")
    }

    @Test("are refused where the certificate is the other side's")
    func ofAnotherRole() throws {
        let (_, problems) = try told { directory in
            for kind in ["crt", "key"] {
                try directory.write("pki/server.\(kind)", try directory.text("pki/client.\(kind)"))
            }
        }
        let expected = "certificate: could not use the certificate: it is a client's"
        #expect(problems.count == 1 && problems.first?.hasPrefix(expected) == true, "\(problems)")
    }

    @Test("are told with their settings where they hold no key")
    func noKeys() throws {
        let (_, problems) = try told { directory in
            for name in ["server.key", "gate.key"] { try directory.write("pki/\(name)", "none") }
        }
        #expect(problems.map { $0.prefix { $0 != ":" } } == ["key", "gateKey"], "\(problems)")
    }
}
