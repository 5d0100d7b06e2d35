internal import TendrilCore

/// Hexadecimal digits.
package enum Hex {
    package static func text(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { $0.digits(2, radix: 16) }.joined()
    }
}
