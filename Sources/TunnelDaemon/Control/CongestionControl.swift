import LinuxSystem

/// What the kernel lets unprivileged programs choose (tcp_allowed_congestion_control).
enum CongestionControl {
    /// Whether each new connection needs CAP_NET_ADMIN for the configured choice.
    static func needsPrivilege(_ configuration: VPNConfiguration) -> Bool {
        guard let name = configuration.congestionControl else { return false }
        let path = "/proc/sys/net/ipv4/tcp_allowed_congestion_control"
        guard let content = try? DurableFile.read(path) else { return true }
        let allowed = String(decoding: content, as: UTF8.self).split { $0 == " " || $0 == "\n" }
        return !allowed.contains { $0 == name }
    }
}
