import Glibc
import LinuxSystem
import TLSEngine
import TendrilCore

/// The files of a paired set-up: one CA, one server or more, one client or more, one gate key.
package struct PairedCertificates {
    private let cluster: String
    private let servers: [String]
    private let clients: [String]
    private let days: Int

    /// Describes a set.
    ///
    /// - Parameters:
    ///   - cluster: becomes part of every identity.
    ///   - servers: the names of the server instances; the files are called `server` when there is one only.
    ///   - clients: the clients' names; the files are called `client` when there is one only.
    ///   - days: for how long the certificates are valid.
    package init(cluster: String, servers: [String], clients: [String], days: Int) {
        self.cluster = cluster
        self.servers = servers
        self.clients = clients
        self.days = days
    }

    /// Issues the set and writes its files; nothing that exists is overwritten.
    ///
    /// - Returns: the paths of the files.
    package func write(to directory: String) throws -> [String] {
        let identities = try checkedIdentities()
        let files = ["ca.crt", "gate.key"] + identities.flatMap { ["\($0.file).crt", "\($0.file).key"] }
        for file in files where access("\(directory)/\(file)", F_OK) == 0 {
            throw ConfigurationError("--out", "\(directory)/\(file) exists already")
        }
        if mkdir(directory, 0o700) != 0, errno != EEXIST { throw SystemError("create \(directory)", code: errno) }
        let issuer = try CertificateIssuer(name: "\(cluster) tunnel CA", days: days)
        var written: [String] = []
        func write(_ name: String, _ content: [UInt8], _ mode: UInt32) throws {
            try DurableFile.write(content, to: "\(directory)/\(name)", mode: mode)
            written.append("\(directory)/\(name)")
        }
        for (file, identity) in identities {
            let issued = try issuer.issue(identity, days: days)
            try write("\(file).crt", issued.certificate, 0o644)
            try write("\(file).key", issued.key.copied, 0o600)
        }
        try write("gate.key", try GateKeys.generateFile(), 0o600)
        try write("ca.crt", try issuer.authorityPEM(), 0o644)
        return written
    }

    private func checkedIdentities() throws -> [(file: String, identity: TunnelIdentity)] {
        var problems: [ConfigurationProblem] = []
        if !(1...3650).contains(days) { problems.add("--days", "\(days) is not 1 to 3650") }
        if !Endpoint.isHostName(cluster) {
            problems.add("--cluster", "\"\(cluster)\" is not a DNS name")
        }
        var identities: [(String, TunnelIdentity)] = []
        func add(_ file: String, _ role: TunnelIdentity.Role, _ name: String, _ flag: String) {
            if let identity = TunnelIdentity(cluster: cluster, role: role, name: name) {
                identities.append((file, identity))
            } else if !Endpoint.isHostName(name) {
                problems.add(flag, "\"\(name)\" is not a DNS name")
            }
        }
        for server in servers { add(servers.count == 1 ? "server" : server, .server, server, "--server-name") }
        for client in clients { add(clients.count == 1 ? "client" : client, .client, client, "--client-name") }
        for (flag, names) in [("--server-name", servers), ("--client-name", clients)]
        where Set(names).count < names.count {
            problems.add(flag, "two names are the same")
        }
        if problems.isEmpty, Set(identities.map(\.0)).count < identities.count {
            problems.add("--client-name", "a client is called like a server, and so would its files be")
        }
        guard problems.isEmpty else { throw ConfigurationError(problems) }
        return identities
    }
}
