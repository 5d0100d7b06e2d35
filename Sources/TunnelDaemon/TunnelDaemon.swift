import LinuxSystem
package import Logging
import Observability
package import TendrilCore

/// The daemon's entry: one configuration, one run.
package enum TunnelDaemon {
    /// Runs in the configured role until a signal asks for the end.
    package static func run(_ configuration: VPNConfiguration, logger: Logger) throws {
        Privileges.forbidDumps()
        _ = Privileges.raiseDescriptorLimit()
        switch configuration.role {
        case .server: try ServerControl.run(configuration, logger: logger)
        case .client: try ClientControl.run(configuration, logger: logger)
        }
    }

    /// What the daemon of this process has logged last.
    static let recentLines = RecentLines()

    /// Judges the files that a configuration names, without running.
    ///
    /// - Parameter configuration: names what `run` would load.
    /// - Returns: until when each certificate is valid, a line each.
    /// - Throws: everything that is wrong with the files, also a certificate that has expired or is not valid yet.
    package static func check(_ configuration: VPNConfiguration) throws(ConfigurationError) -> [String] {
        try FileCheck.dates(of: configuration, at: Clock.unixTime())
    }

    /// A logger as the configuration wants it.
    package static func logger(_ configuration: VPNConfiguration) -> Logger {
        Logger(label: "tendril-vpn") { label in
            LogOutput(label: label, level: configuration.logLevel, format: configuration.logFormat, recent: recentLines)
        }
    }

    /// Asks a running daemon for its status.
    package static func status(socket: String) throws -> StatusReport {
        try StatusReport(json: try StatusSocket.ask(socket))
    }

    /// Asks the daemon at the other end of a server's link for its status, over that link.
    ///
    /// - Parameters:
    ///   - name: the client's.
    ///   - socket: of the server's own status.
    ///   - patience: how long all of it may take.
    /// - Returns: what the client tells.
    /// - Throws: where nobody answers in time, or with what cannot be read.
    package static func status(
        ofPeer name: String,
        socket: String,
        within patience: Nanoseconds = .seconds(10)
    ) throws -> StatusReport {
        try PeerStatus.ask(name, socket: VPNConfiguration.peerSocket(beside: socket), within: patience)
    }
}
