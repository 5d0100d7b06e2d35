import LinuxSystem
import TendrilCore

/// What the kernel lets unprivileged programs choose (tcp_allowed_congestion_control).
enum CongestionControl {
    /// What each new connection needs for the configured choice: nothing, or CAP_NET_ADMIN.
    static func privileges(_ configuration: VPNConfiguration) -> Privileges.Capabilities {
        guard let name = configuration.congestionControl else { return [] }
        let path = "/proc/sys/net/ipv4/tcp_allowed_congestion_control"
        guard let content = try? DurableFile.read(path) else { return .networkAdministration }
        let allowed = String(decoding: content, as: UTF8.self).split { $0 == " " || $0 == "\n" }
        return allowed.contains { $0 == name } ? [] : .networkAdministration
    }

    /// Finds at the start whether the kernel has the configured choice.
    static func probe(_ configuration: VPNConfiguration) throws(SystemError) {
        guard let name = configuration.congestionControl else { return }
        let loopback = SocketAddress(IPAddress(v4: 0x7F00_0001), port: 0)
        try StreamSocket(listeningAt: loopback).setCongestionControl(name)
    }
}
