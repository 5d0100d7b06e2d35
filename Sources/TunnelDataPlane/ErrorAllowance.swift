/// How many ICMP errors a worker may still send in this tenth of a second.
struct ErrorAllowance {
    private var left = 10

    /// Takes one, if there is one.
    mutating func take() -> Bool {
        guard left > 0 else { return false }
        left -= 1
        return true
    }

    mutating func refill() { left = 10 }
}
