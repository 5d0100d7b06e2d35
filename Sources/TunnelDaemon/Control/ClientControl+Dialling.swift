import LinuxSystem
import Logging
import Observability
import TendrilCore
import TunnelProtocol

/// How a client opens lanes.
extension ClientControl {
    /// What every path has to carry, less the headers (RFC 8200 section 5, RFC 4821): a path that swallows larger packets without
    /// a word lets TCP connect and nothing large after it, be it a certificate or what is carried.
    private static var narrowSegment: Int { 1280 - 60 }

    func advance(to now: MonotonicTime) -> MonotonicTime? {
        let wanted = servers.wanted(at: now)
        if wanted != shown { show(wanted) }
        for link in wanted {
            for lane in servers[link].machine.due(at: now) { dial(link, lane, at: now) }
        }
        let deadlines = wanted.map { servers[$0].machine.deadline }
        return (deadlines + [servers.lapse(after: now), serviceDoor?.advance(to: now)]).compactMap { $0 }.min()
    }

    private func dial(_ link: Int, _ lane: Int, at now: MonotonicTime) {
        let endpoint = servers[link].endpoint
        if let address = IPAddress(endpoint.host) {
            dial(link, lane, [SocketAddress(address, port: endpoint.port)], at: now)
            return
        }
        // The resolver may take seconds; other links must not wait for it.
        let mailbox = core.mailbox
        do throws(SystemError) {
            let thread = try WorkerThread(name: "resolver") {
                do throws(SystemError) {
                    mailbox.post(.resolved(link: link, lane: lane, .success(try SocketAddress.resolve(endpoint))))
                } catch {
                    mailbox.post(.resolved(link: link, lane: lane, .failure(error)))
                }
            }
            thread.detach()
        } catch {
            giveUp(link, lane, "\(error)", at: now)
        }
    }

    /// Dials one of the addresses that a name has.
    func dial(_ link: Int, _ lane: Int, _ addresses: [SocketAddress], at now: MonotonicTime) {
        // A name with several addresses is tried in turn.
        let attempt = servers[link].attempts
        servers[link].attempts += 1
        guard !addresses.isEmpty else {
            giveUp(link, lane, "\(servers[link].endpoint.host) has no address", at: now)
            return
        }
        var address = addresses[attempt % addresses.count]
        if servers[link].isUp, let opened = peerAddresses[link], addresses.contains(opened) { address = opened }
        do {
            let isNarrow = servers[link].isNarrow(at: now)
            let socket = try StreamSocket(connectingTo: address, segmentLimit: isNarrow ? Self.narrowSegment : nil)
            socket.tuneForTunnel(deathAfter: 3)
            let greeting = try Greeting(
                dialling: socket,
                to: address,
                target: (link, lane),
                isNarrow: isNarrow,
                serverName: core.configuration.serverName ?? hostName(of: servers[link].endpoint),
                congestionControl: core.congestionControl.name,
                hello: hello(lane: lane),
                identity: core.store.current,
                at: now
            )
            core.begin(greeting, at: now)
        } catch {
            giveUp(link, lane, "\(error)", at: now)
        }
    }

    private func hostName(of endpoint: Endpoint) -> String? { IPAddress(endpoint.host) == nil ? endpoint.host : nil }

    private func hello(lane: Int) -> Hello {
        let configuration = core.configuration
        return Hello(
            session: session,
            lane: lane,
            lanes: configuration.lanes,
            mtu: configuration.mtu,
            features: core.features,
            addresses: configuration.addresses.map(\.address),
            networks: configuration.networks,
            software: "tendril-vpn \(Version.text)"
        )
    }

    func failed(_ greeting: Greeting, _ failure: Greeting.Failure, at now: MonotonicTime) {
        guard let (link, lane) = greeting.target else { return }
        if failure.isSilence { servers[link].fellSilent(isAlsoNarrow: greeting.isNarrow, at: now) }
        giveUp(link, lane, failure.reason, at: now)
    }

    /// Says why there is no lane, and waits before the next attempt.
    func giveUp(
        _ link: Int,
        _ lane: Int,
        _ reason: String,
        wasElsewhere: Bool = false,
        at now: MonotonicTime
    ) {
        let wait = servers[link].machine.failed(
            lane,
            at: now,
            random: .random(in: .min ... .max),
            wasElsewhere: wasElsewhere
        )
        let server = servers[link].endpoint.description
        core.limiter.log(
            "no link",
            ["server": "\(server)", "reason": "\(reason)", "retry-ms": "\(wait.milliseconds)"],
            to: core.logger,
            at: now
        )
        core.board.update { state in
            state.links[link]?.lastError = reason
            state.links[link]?.lastErrorAt = Clock.unixTime()
        }
    }
}
