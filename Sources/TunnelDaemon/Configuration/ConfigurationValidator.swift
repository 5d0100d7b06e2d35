import Logging
import Observability
import TLSEngine
package import TendrilCore
import TunnelProtocol

/// Turns raw settings into a configuration, or into all that is wrong with them.
package struct ConfigurationValidator {
    let raw: RawSettings
    let role: TunnelIdentity.Role
    var problems: [ConfigurationProblem] = []

    /// Validates settings for a role.
    package static func validate(
        _ raw: RawSettings,
        role: TunnelIdentity.Role
    ) throws(ConfigurationError) -> VPNConfiguration {
        var validator = ConfigurationValidator(raw: raw, role: role)
        let configuration = validator.build()
        guard validator.problems.isEmpty, let configuration else { throw ConfigurationError(validator.problems) }
        return configuration
    }

    private init(raw: RawSettings, role: TunnelIdentity.Role) {
        self.raw = raw
        self.role = role
    }

    private mutating func build() -> VPNConfiguration? {
        refuseForeignSettings()
        let packets = flag(.packets, default: true)
        let addresses = list(.address, "an address with prefix, such as 10.98.0.1/24", InterfaceAddress.init)
        let networks = list(.network, "a network, such as 10.0.0.0/16, with no host bits", IPPrefix.init)
        let remote = list(.remoteNetwork, "a network, such as 10.0.0.0/16, with no host bits", IPPrefix.init)
        let clients = clientBindings(within: networks)
        if packets { requireAddressPlan(addresses, networks) }
        checkAddressPlan(addresses, networks, remote)
        let files = VPNConfiguration.Files(
            authorities: path(.ca, "the \(role) would not know whom to trust"),
            certificate: path(.certificate, "both sides authenticate"),
            key: path(.key, "both sides authenticate"),
            gateKey: path(.gateKey, "the gate has no open setting")
        )
        let servers = list(.server, "HOST:PORT", endpoint)
        // One that is no HOST:PORT is told as that.
        if role == .client, raw.values[.server]?.isEmpty ?? true {
            problem(.server, "is missing: name one server at least")
        }
        let drain = single(.drainSeconds, "a number from 0 to 3600", number(0...3600)) ?? 5
        let configuration = VPNConfiguration(
            role: role,
            listen: single(.listen, "ADDRESS:PORT", listenEndpoint)
                ?? Endpoint(host: "", port: VPNConfiguration.defaultPort),
            servers: servers,
            serverName: single(.serverName, "a host name", { Endpoint.isHostName($0) ? $0 : nil }),
            files: files,
            tun: single(.tun, "an interface name of 1 to 15 characters", interfaceName) ?? "tendril0",
            addresses: addresses,
            networks: networks,
            remoteNetworks: remote,
            clients: clients,
            nodesKubeconfig: nodesKubeconfig(),
            sharedNetworks: sharedNetworks(within: networks),
            outsideTargets: list(.outsideTarget, "HOST:PORT with the name of a host", namedTarget),
            lanes: single(.lanes, "a number from 1 to \(Hello.maximumLanes)", number(1...Hello.maximumLanes)) ?? 2,
            masquerade: flag(.masquerade, default: false),
            ciphers: ciphers(),
            mtu: single(.mtu, "a number from 1280 to 65535", number(1280...65535)) ?? 1500,
            congestionControl: single(
                .congestionControl,
                "auto, kernel, or a name such as bbr or cubic",
                congestionControl
            )
                ?? .automatic,
            metrics: single(.metrics, "ADDRESS:PORT", listenEndpoint),
            allowInbound: list(.allowInbound, "PROTOCOL/ADDRESS:PORT, such as tcp/10.0.0.1:443", InboundService.init),
            egressSocket: single(.egressSocket, "an absolute path of at most 100 bytes", socketPath),
            egressOverTLS: egressOverTLS(),
            apiServer: single(.apiServer, "ADDRESS:PORT", addressEndpoint),
            apiServerListen: single(.apiServerListen, "ADDRESS:PORT", addressEndpoint),
            instances: single(.instances, "a number from 1 to 16", number(1...Hello.maximumInstances)) ?? 1,
            drainSeconds: drain,
            lingerSeconds: lingerSeconds(within: drain),
            packets: packets,
            offload: single(.offload, "auto, tcp or none", VPNConfiguration.Offload.init(rawValue:)) ?? .auto,
            socket: single(.socket, "an absolute path of at most 100 bytes", socketPath)
                ?? VPNConfiguration.defaultSocket(of: role),
            logLevel: single(
                .logLevel,
                "trace, debug, info, notice, warning, error or critical",
                Logger.Level.init(rawValue:)
            )
                ?? .info,
            logFormat: single(.logFormat, "text or json", LogFormat.init(rawValue:)) ?? .text
        )
        return problems.isEmpty ? configuration : nil
    }

    // MARK: - Single fields

    private mutating func single<Value>(
        _ setting: Setting,
        _ expected: String,
        _ parse: (String) -> Value?
    ) -> Value? {
        guard let value = raw.values[setting]?.last else { return nil }
        guard let parsed = parse(value.text) else {
            problems.add(value.path, "\(quoted(value.text)) is not \(expected)")
            return nil
        }
        return parsed
    }

    private mutating func list<Value: Hashable>(
        _ setting: Setting,
        _ expected: String,
        _ parse: (String) -> Value?
    ) -> [Value] {
        parsed(raw.values[setting] ?? [], expected, parse)
    }

    mutating func parsed<Value: Hashable>(
        _ values: [RawValue],
        _ expected: String,
        _ parse: (String) -> Value?
    ) -> [Value] {
        var found: [Value] = []
        for value in values {
            guard let parsed = parse(value.text) else {
                problems.add(value.path, "\(quoted(value.text)) is not \(expected)")
                continue
            }
            if found.contains(parsed) {
                problems.add(value.path, "\(quoted(value.text)) comes twice")
            } else {
                found.append(parsed)
            }
        }
        return found
    }

    private mutating func flag(_ setting: Setting, default value: Bool) -> Bool {
        single(setting, "true or false", { ["true": true, "false": false][$0] }) ?? value
    }

    private mutating func path(_ setting: Setting, _ reason: String) -> String {
        guard let value = single(setting, "a path", { $0.isEmpty || $0.contains("\0") ? nil : $0 }) else {
            if raw.values[setting] == nil { problem(setting, "is missing: \(reason)") }
            return ""
        }
        return value
    }

    private mutating func egressOverTLS() -> VPNConfiguration.EgressOverTLS? {
        guard let listen = single(.egressListen, "ADDRESS:PORT", listenEndpoint) else {
            for setting in [Setting.egressCertificate, .egressKey, .egressAuthority] where raw.values[setting] != nil {
                problem(setting, "is for egressListen, which is missing")
            }
            return nil
        }
        if raw.values[.egressSocket] == nil { problem(.egressSocket, "is missing: egressListen leads to it") }
        return VPNConfiguration.EgressOverTLS(
            listen: listen,
            certificate: path(.egressCertificate, "what kube-apiserver is shown at egressListen"),
            key: path(.egressKey, "the key of egressCertificate"),
            authority: path(.egressAuthority, "without it nobody may ask at egressListen")
        )
    }

    private mutating func nodesKubeconfig() -> String? {
        guard let path = single(.nodesKubeconfig, "a path", { $0.isEmpty || $0.contains("\0") ? nil : $0 }) else {
            if raw.values[.sharedNetwork] != nil {
                problem(.sharedNetwork, "is for nodesKubeconfig, which is missing")
            }
            return nil
        }
        if !raw.clients.isEmpty {
            problem(.nodesKubeconfig, "and clients both say who speaks for what: name one of them")
        }
        if raw.values[.network] == nil {
            problem(.network, "is missing: Nodes are believed to have nothing outside of these networks")
        }
        return path
    }

    private mutating func sharedNetworks(within networks: [IPPrefix]) -> [IPPrefix] {
        let shared = list(.sharedNetwork, "a network, such as 10.0.0.0/16, with no host bits", IPPrefix.init)
        for network in shared where !networks.isEmpty && !networks.contains(where: { $0.contains(network) }) {
            problem(.sharedNetwork, "\(network) lies in none of the networks")
        }
        return shared
    }

    private mutating func lingerSeconds(within drain: Int) -> Int {
        let seconds = single(.lingerSeconds, "a number from 0 to 600", number(0...600)) ?? 0
        if seconds > drain { problem(.lingerSeconds, "\(seconds) is more than drainSeconds, which is \(drain)") }
        return seconds
    }

    private mutating func ciphers() -> [CipherSuite] {
        let names = VPNConfiguration.cipherNames.joined(separator: ", ")
        let chosen = list(.cipher, "one of \(names)") { text in
            CipherSuite.allCases.first { $0.rawValue.lowercased() == text.lowercased() }
        }
        return chosen.isEmpty ? [.aes128, .aes256, .chacha20] : chosen
    }

    private func endpoint(_ text: String) -> Endpoint? {
        let full = text.contains(":") && !text.hasSuffix("]") ? text : "\(text):\(VPNConfiguration.defaultPort)"
        guard let endpoint = Endpoint(full), !endpoint.host.isEmpty, endpoint.port != 0 else { return nil }
        return endpoint
    }

    private func listenEndpoint(_ text: String) -> Endpoint? {
        guard let endpoint = Endpoint(text), endpoint.host.isEmpty || IPAddress(endpoint.host) != nil else {
            return nil
        }
        return endpoint
    }

    private func addressEndpoint(_ text: String) -> Endpoint? {
        guard let endpoint = Endpoint(text), IPAddress(endpoint.host) != nil, endpoint.port != 0 else { return nil }
        return endpoint
    }

    private func namedTarget(_ text: String) -> StreamTarget? {
        guard let target = StreamTarget(authority: text), case .name = target else { return nil }
        return target
    }

    private func interfaceName(_ text: String) -> String? {
        let isFine = text.utf8.allSatisfy { $0.isVisible && $0 != 0x2F && $0 != 0x25 && $0 != 0x3A }
        return (1...15).contains(text.utf8.count) && isFine && text != "." && text != ".." ? text : nil
    }

    private func congestionControl(_ text: String) -> VPNConfiguration.CongestionControl? {
        let isFine = text.utf8.allSatisfy { $0.isLowercase || $0.isDigit || $0 == 0x5F }
        guard (1...15).contains(text.utf8.count), isFine else { return nil }
        return switch text {
        case "auto": .automatic
        case "kernel": .kernel
        default: .named(text)
        }
    }

    private func socketPath(_ text: String) -> String? {
        text.hasPrefix("/") && text.utf8.count <= 100 && !text.contains("\0") ? text : nil
    }

    private func number(_ range: ClosedRange<Int>) -> (String) -> Int? {
        { text in Int(text).flatMap { range.contains($0) ? $0 : nil } }
    }

    mutating func problem(_ setting: Setting, _ reason: String) {
        problems.add(raw.values[setting]?.first?.path ?? setting.key, reason)
    }

    func quoted(_ text: String) -> String { "\"\(text.prefix(80))\"" }
}
