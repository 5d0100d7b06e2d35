package import TendrilCore

/// Those who wait at a door, each under a number and for a bounded time; where it is full, who came first leaves for the
/// next.
package struct WaitingRoom<Guest> {
    private let capacity: Int
    private let patience: Nanoseconds
    private var guests: [UInt64: (guest: Guest, deadline: MonotonicTime)] = [:]
    /// Numbers in the order of their arrival, which is the order of their deadlines.
    private var order: [UInt64] = []
    private var orderStart = 0

    /// Makes room for `capacity` guests, each of whom may stay for `patience`.
    package init(capacity: Int, patience: Nanoseconds) { (self.capacity, self.patience) = (capacity, patience) }

    /// How many are here.
    package var count: Int { guests.count }

    /// Who has a number, if it is still here.
    package subscript(_ number: UInt64) -> Guest? { guests[number]?.guest }

    /// Lets somebody in.
    ///
    /// - Parameters:
    ///   - guest: who comes.
    ///   - number: one that nobody had before.
    ///   - now: the time.
    /// - Returns: the number of who is to leave for it.
    package mutating func enter(_ guest: Guest, as number: UInt64, at now: MonotonicTime) -> UInt64? {
        guests[number] = (guest, now + patience)
        order.append(number)
        let oldest = oldest()
        return guests.count > capacity ? oldest : nil
    }

    /// Lets somebody go, whatever became of it.
    package mutating func leave(_ number: UInt64) -> Guest? { guests.removeValue(forKey: number)?.guest }

    /// The number of who has waited longest.
    package mutating func oldest() -> UInt64? {
        while orderStart < order.count, guests[order[orderStart]] == nil { orderStart += 1 }
        if orderStart > 4096 {
            order.removeSubrange(..<orderStart)
            orderStart = 0
        }
        return orderStart < order.count ? order[orderStart] : nil
    }

    /// When the time of the one who has waited longest is up.
    package mutating func deadline() -> MonotonicTime? { oldest().flatMap { guests[$0]?.deadline } }

    /// The number of one whose time is up.
    package mutating func overdue(at now: MonotonicTime) -> UInt64? {
        guard let deadline = deadline(), deadline <= now else { return nil }
        return oldest()
    }
}
