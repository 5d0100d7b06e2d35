/// An interface whose packets travel between nodes inside UDP (VXLAN-GPE, draft-ietf-nvo3-vxlan-gpe): packets without an
/// Ethernet header, so that there are no neighbours to know.
package struct OverlayDevice: Hashable, Sendable {
    /// What is put around a packet, in bytes: IPv4, UDP, and VXLAN's own header.
    package static let overhead = 20 + 8 + 8

    package let name: String
    /// The UDP port, the same on all nodes.
    package let port: UInt16
    /// The VXLAN network identifier: 24 bits.
    package let number: UInt32
    /// In bytes, without what is put around.
    package let mtu: Int

    package init(name: String, port: UInt16, number: UInt32, mtu: Int) {
        (self.name, self.port, self.number, self.mtu) = (name, port, number, mtu)
    }
}
