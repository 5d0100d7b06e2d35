/// What a byte of a text is in ASCII; one beyond it is nothing of all this.
extension UInt8 {
    /// `0` to `9`.
    package var isDigit: Bool { (0x30...0x39).contains(self) }
    /// `a` to `z`.
    package var isLowercase: Bool { (0x61...0x7A).contains(self) }
    /// `a` to `z` or `A` to `Z`.
    package var isLetter: Bool { isLowercase || (0x41...0x5A).contains(self) }
    /// `0` to `9` or `a` to `f`.
    package var isLowercaseHex: Bool { isDigit || (0x61...0x66).contains(self) }
    /// `!` to `~`: what is printed, but for the space.
    package var isVisible: Bool { (0x21...0x7E).contains(self) }
    /// Visible, or a space.
    package var isPrintable: Bool { (0x20...0x7E).contains(self) }
}
