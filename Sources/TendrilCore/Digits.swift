extension BinaryInteger {
    /// The number in so many digits at least, with zeros before it.
    package func digits(_ count: Int, radix: Int = 10) -> String {
        let text = String(self, radix: radix)
        return String(repeating: "0", count: max(0, count - text.count)) + text
    }
}
