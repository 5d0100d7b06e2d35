import LinuxSystem
import TendrilCore

/// Which congestion control the lanes' TCP has, decided once at the start.
struct CongestionControl: CustomStringConvertible {
    /// What is used where nothing is configured and no privilege is needed for it: a path that loses one packet in a hundred
    /// carries ten times as much by it.
    private static let preferred = "bbr"

    /// The kernel's name for it; `nil` leaves it to the kernel.
    let name: String?
    /// What each new connection needs for it: nothing, or CAP_NET_ADMIN.
    let privileges: Privileges.Capabilities

    /// Finds what is wanted.
    ///
    /// - Throws: where the kernel does not have what is named.
    init(_ choice: VPNConfiguration.CongestionControl) throws(SystemError) {
        switch choice {
        case .kernel: name = nil
        case .automatic: name = Self.unprivileged.contains(Self.preferred) ? Self.preferred : nil
        case .named(let name):
            self.name = name
            let loopback = SocketAddress(IPAddress(v4: 0x7F00_0001), port: 0)
            try StreamSocket(listeningAt: loopback).setCongestionControl(name)
        }
        privileges = name.map(Self.unprivileged.contains) ?? true ? [] : .networkAdministration
    }

    var description: String { name ?? "kernel" }

    /// What the kernel lets unprivileged programs choose.
    private static var unprivileged: Set<String> {
        let path = "/proc/sys/net/ipv4/tcp_allowed_congestion_control"
        guard let content = try? DurableFile.read(path) else { return [] }
        return Set(String(decoding: content, as: UTF8.self).split { $0 == " " || $0 == "\n" }.map(String.init))
    }
}
