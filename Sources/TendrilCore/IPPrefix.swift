/// A network: an address and how many of its leading bits count (CIDR, RFC 4632).
public struct IPPrefix: Hashable, Sendable {
    /// The lowest address of the network.
    public let address: IPAddress
    /// How many leading bits count: 0...32 or 0...128.
    public let length: Int

    /// Makes the network of `length` bits that holds `address`, or `nil` when the length does not fit the family.
    public init?(containing address: IPAddress, length: Int) {
        guard (0...address.family.bitWidth).contains(length) else { return nil }
        self.address = IPAddress(family: address.family, bits: address.bits & Self.mask(length))
        self.length = length
    }

    /// Makes the network that holds only `address`.
    public init(host address: IPAddress) {
        self.address = address
        self.length = address.family.bitWidth
    }

    /// Parses `address/length`; host bits must be zero.
    public init?(_ text: some StringProtocol) {
        guard let parsed = InterfaceAddress(text), parsed.prefix.address == parsed.address else { return nil }
        self = parsed.prefix
    }

    /// The family of its addresses.
    public var family: IPAddress.Family { address.family }

    /// Whether `other` lies in this network.
    @inlinable
    public func contains(_ other: IPAddress) -> Bool {
        other.family == address.family && (other.bits ^ address.bits) & Self.mask(length) == 0
    }

    /// Whether every address of `other` lies in this network.
    public func contains(_ other: IPPrefix) -> Bool { other.length >= length && contains(other.address) }

    /// Whether the two networks share an address.
    public func overlaps(_ other: IPPrefix) -> Bool { contains(other) || other.contains(self) }

    /// A word of `length` leading ones.
    @inlinable
    public static func mask(_ length: Int) -> UInt128 { length == 0 ? 0 : UInt128.max << UInt128(128 - length) }
}

extension IPPrefix: CustomStringConvertible {
    /// The network as `address/length`.
    public var description: String { "\(address)/\(length)" }
}
