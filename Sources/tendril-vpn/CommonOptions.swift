import ArgumentParser
import CommandSupport
import Glibc
import TendrilCore
import TunnelDaemon

/// The options that both roles have; each one replaces the setting of the same name in the file.
struct CommonOptions: ParsableArguments {
    @Option(name: .long, help: "A configuration file in YAML; flags override what it says.", completion: .file())
    var config: String?

    @Option(name: .long, help: "The CA bundle that the peer's certificate must lead to, in PEM.", completion: .file())
    var ca: String?

    @Option(name: .long, help: "This side's certificate in PEM, with its intermediates.", completion: .file())
    var certificate: String?

    @Option(name: .long, help: "The certificate's private key in PEM.", completion: .file())
    var key: String?

    @Option(name: .long, help: "The file with one or two gate keys, a line each in base64.", completion: .file())
    var gateKey: String?

    @Option(name: .long, help: "The name of the TUN device (default: tendril0).")
    var tun: String?

    @Option(
        name: .long,
        parsing: .singleValue,
        help: "An own tunnel address with prefix, such as 10.98.0.1/24; may be given several times."
    )
    var address: [String] = []

    @Option(
        name: .long,
        parsing: .singleValue,
        help: "Server: a network behind its clients. Client: a network that it serves. May be given several times."
    )
    var network: [String] = []

    @Option(
        name: .long,
        parsing: .singleValue,
        help: """
            HOST:PORT that the server's streams may ask for by this name although it is no node; both sides name it; may be \
            given several times.
            """
    )
    var outsideTarget: [String] = []

    @Option(name: .long, help: "Connections of a link, and threads that carry packets: 1 to 16 (default: 2).")
    var lanes: Int?

    @Option(
        name: .long,
        parsing: .singleValue,
        help: """
            AES-128-GCM, AES-256-GCM or ChaCha20-Poly1305; may be given several times, the preferred first (default: all, in \
            this order).
            """,
        completion: .list(VPNConfiguration.cipherNames)
    )
    var cipher: [String] = []

    @Option(name: .long, help: "The MTU of the TUN device in bytes: 1280 to 65535 (default: 1500).")
    var mtu: Int?

    @Option(
        name: .long,
        help: "TCP congestion control of the lanes: auto, kernel, or a name such as bbr or cubic (default: auto).",
        completion: .list(["auto", "kernel", "bbr", "cubic"])
    )
    var congestionControl: String?

    @Option(name: .long, help: "ADDRESS:PORT for /metrics, /healthz and /readyz (default: none).")
    var metrics: String?

    @Option(name: .long, help: "How long the end waits for open streams, in seconds: 0 to 3600 (default: 5).")
    var drainSeconds: Int?

    @Flag(
        name: .long,
        help: "Carry no IP packets: no TUN device, and no privileges but for a client's --api-server-listen."
    )
    var noPackets = false

    @Option(
        name: .long,
        help: "Work left to the far kernel: auto, tcp or none (default: auto).",
        completion: .list(VPNConfiguration.Offload.allCases.map(\.rawValue))
    )
    var offload: String?

    @Option(
        name: .long,
        help: "The UNIX socket for `status` (default: /run/tendril/vpn-ROLE.sock).",
        completion: .file()
    )
    var socket: String?

    @Option(
        name: .long,
        help: "trace, debug, info, notice, warning, error or critical (default: info).",
        completion: .list(LogChoice.levels)
    )
    var logLevel: String?

    @Option(name: .long, help: "text or json (default: text).", completion: .list(LogChoice.formats))
    var logFormat: String?

    @Flag(
        name: .long,
        help: "Validate the configuration and the files that it names, say until when certificates are valid, and exit."
    )
    var check = false

    /// Puts file and flags together and runs the daemon, or only checks.
    func run(_ role: TunnelIdentity.Role, _ own: (inout RawSettings) -> Void) throws {
        let configuration: VPNConfiguration
        do {
            var raw = try config.map { try ConfigurationFile.load($0, role: role) } ?? RawSettings()
            apply(to: &raw)
            own(&raw)
            configuration = try ConfigurationValidator.validate(raw, role: role)
            if check {
                let dates = try TunnelDaemon.check(configuration)
                return print((dates + ["The configuration is valid."]).joined(separator: "\n"))
            }
        } catch {
            throw Failure(error, exitCode: .configuration)
        }
        try orEnd(with: .operatingSystem) {
            try TunnelDaemon.run(configuration, logger: TunnelDaemon.logger(configuration))
        }
    }

    private func apply(to raw: inout RawSettings) {
        let single: [(Setting, String?)] = [
            (.ca, ca), (.certificate, certificate), (.key, key), (.gateKey, gateKey), (.tun, tun),
            (.lanes, lanes.map(String.init)), (.drainSeconds, drainSeconds.map(String.init)),
            (.mtu, mtu.map(String.init)), (.congestionControl, congestionControl),
            (.metrics, metrics), (.packets, noPackets ? "false" : nil), (.offload, offload), (.socket, socket),
            (.logLevel, logLevel), (.logFormat, logFormat),
        ]
        for (setting, value) in single { raw.set(setting, [value].compactMap { $0 }) }
        let lists: [(Setting, [String])] = [
            (.address, address), (.network, network), (.outsideTarget, outsideTarget), (.cipher, cipher),
        ]
        for (setting, values) in lists { raw.set(setting, values) }
    }
}
