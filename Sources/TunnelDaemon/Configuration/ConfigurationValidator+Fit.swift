import TendrilCore
import TunnelProtocol

/// What must fit together.
extension ConfigurationValidator {
    mutating func refuseForeignSettings() {
        let foreign: [Setting] =
            switch role {
            case .server: [.server, .serverName, .remoteNetwork, .masquerade, .apiServerListen]
            case .client:
                [
                    .listen, .allowInbound, .egressSocket, .egressListen, .egressCertificate, .egressKey,
                    .egressAuthority, .apiServer, .instances, .nodesKubeconfig, .sharedNetwork, .lingerSeconds,
                ]
            }
        for setting in foreign {
            guard let value = raw.values[setting]?.first else { continue }
            problems.add(value.path, "is no setting of a \(role)")
        }
    }

    /// What packets cannot be carried without.
    mutating func requireAddressPlan(_ addresses: [InterfaceAddress], _ networks: [IPPrefix]) {
        if addresses.isEmpty, raw.values[.address] == nil {
            problem(.address, "is missing: the TUN device needs an address of its own")
        }
        if networks.isEmpty, raw.values[.network] == nil, raw.clients.isEmpty {
            problem(
                .network,
                "is missing: name the networks \(role == .server ? "behind the clients" : "that are served")"
            )
        }
    }

    mutating func checkAddressPlan(
        _ addresses: [InterfaceAddress],
        _ networks: [IPPrefix],
        _ remote: [IPPrefix]
    ) {
        for (setting, count) in [(Setting.network, networks.count), (.address, addresses.count)]
        where count > Hello.maximumNetworks {
            problem(setting, "has \(count) entries, more than the \(Hello.maximumNetworks) that a hello can hold")
        }
        for (setting, list) in [(Setting.network, networks), (.remoteNetwork, remote)] {
            for (index, network) in list.enumerated() {
                for earlier in list[..<index] where network.overlaps(earlier) {
                    problem(setting, "\(network) overlaps \(earlier)")
                }
            }
        }
        for network in networks {
            for other in remote where network.overlaps(other) {
                problem(.remoteNetwork, "\(other) overlaps the served network \(network)")
            }
            for address in addresses where network.overlaps(address.prefix) {
                problem(.network, "\(network) overlaps the tunnel's own \(address.prefix)")
            }
        }
        for other in remote {
            for address in addresses where other.overlaps(address.prefix) {
                problem(.remoteNetwork, "\(other) overlaps the tunnel's own \(address.prefix)")
            }
        }
        for address in addresses where !address.address.isRoutableUnicast {
            problem(.address, "\(address) is no unicast address that can be routed")
        }
    }

    mutating func clientBindings(within networks: [IPPrefix]) -> [String: ClientBinding] {
        var bindings: [String: ClientBinding] = [:]
        var taken: [(network: IPPrefix, path: String)] = []
        for client in raw.clients {
            let name = client.name.text
            if !Endpoint.isHostName(name) {
                problems.add(client.name.path, "\(quoted(name)) is not a client's name")
            } else if bindings[name] != nil {
                problems.add(client.name.path, "\(quoted(name)) comes twice")
            }
            let own = parsed(client.networks, "a network, such as 10.0.0.0/16, with no host bits", IPPrefix.init)
            let addresses = parsed(client.addresses, "an address", { IPAddress($0) })
            let all = own + addresses.map(IPPrefix.init(host:))
            for (network, value) in zip(all, client.networks + client.addresses) {
                if let other = taken.first(where: { $0.network.overlaps(network) }) {
                    let reason = "\(network) overlaps \(other.network) of \(other.path)"
                    problems.add(value.path, reason)
                }
                if !networks.isEmpty, own.contains(network), !networks.contains(where: { $0.contains(network) }) {
                    problems.add(value.path, "\(network) lies in none of the networks")
                }
                taken.append((network, value.path))
            }
            bindings[name] = ClientBinding(addresses: addresses, networks: own)
        }
        return bindings
    }
}
