package import TendrilCore

/// The queue before one lane: flows take turns, sparse flows go first, and each flow has its own CoDel (RFC 8290).
///
/// It holds slot numbers; the bytes are the pool's. Nothing is allocated after creation.
package struct FairQueue: Sendable {
    /// A packet that is to leave now.
    package struct Departure: Sendable {
        package let slot: Int32
        /// How long it waited.
        package let sojourn: Nanoseconds
        /// Whether it should tell its sender to slow down.
        package let signalsCongestion: Bool
    }

    private struct Flow: Sendable {
        var head = PacketLedger.none
        var tail = PacketLedger.none
        var bytes = 0
        var deficit = 0
        var next: Int16 = -1
        var place = Place.idle
        var codel = CoDel()
    }

    private enum Place: UInt8, Sendable { case idle, sparse, bulk }

    /// A chain of flows that wait for their turn.
    private struct Turns: Sendable {
        var first: Int16 = -1
        var last: Int16 = -1
    }

    private static var flowCount: Int { 256 }

    private var flows = Array(repeating: Flow(), count: flowCount)
    private var sparse = Turns()
    private var bulk = Turns()
    private let quantum: Int

    /// The bytes that wait.
    package private(set) var bytes = 0
    /// The packets that wait.
    package private(set) var count = 0
    /// The large slots among them.
    package private(set) var largeCount = 0
    /// The limits of CoDel in force; the caller adapts them to the lane's rate.
    package var parameters = CoDel.Parameters()

    /// Makes an empty queue that gives each flow `quantum` bytes a turn.
    package init(quantum: Int = 16 * 1024) { self.quantum = quantum }

    package var isEmpty: Bool { count == 0 }

    /// Queues the packet in `slot`, whose length and arrival the ledger has.
    ///
    /// - Parameters:
    ///   - slot: a taken slot that belongs to no queue.
    ///   - hash: tells the packet's flow.
    ///   - ledger: the pool's books.
    package mutating func enqueue(_ slot: Int32, hash: UInt64, _ ledger: inout PacketLedger) {
        let index = Int(hash >> 32) & (Self.flowCount - 1)
        let length = ledger.length(of: slot)
        if flows[index].tail == PacketLedger.none {
            flows[index].head = slot
        } else {
            ledger.chain(flows[index].tail, to: slot)
        }
        flows[index].tail = slot
        flows[index].bytes += length
        bytes += length
        count += 1
        if ledger.size(of: slot) == .large { largeCount += 1 }
        if flows[index].place == .idle {
            flows[index].deficit = quantum
            append(Int16(index), to: .sparse)
        }
    }

    /// Takes the packet whose turn it is.
    package mutating func dequeue(at now: MonotonicTime, _ ledger: inout PacketLedger) -> Departure? {
        while true {
            let place: Place = sparse.first >= 0 ? .sparse : .bulk
            let index = place == .sparse ? sparse.first : bulk.first
            guard index >= 0 else { return nil }
            let flow = Int(index)
            if flows[flow].deficit <= 0 {
                flows[flow].deficit += quantum
                removeFirst(of: place)
                append(index, to: .bulk)
            } else if flows[flow].head == PacketLedger.none {
                removeFirst(of: place)
                // A sparse flow that ran dry waits one round, lest it jump the queue again at once.
                if place == .sparse, bulk.first >= 0 {
                    append(index, to: .bulk)
                } else {
                    flows[flow].place = .idle
                }
            } else {
                return depart(from: flow, at: now, &ledger)
            }
        }
    }

    /// Takes the first packet of the flow that holds the most bytes, to make room.
    package mutating func evict(_ ledger: inout PacketLedger) -> Int32? {
        guard count > 0 else { return nil }
        var fattest = 0
        for index in 1..<Self.flowCount where flows[index].bytes > flows[fattest].bytes { fattest = index }
        return unlinkHead(of: fattest, &ledger)
    }

    private mutating func depart(
        from flow: Int,
        at now: MonotonicTime,
        _ ledger: inout PacketLedger
    ) -> Departure {
        let slot = unlinkHead(of: flow, &ledger)
        flows[flow].deficit -= ledger.length(of: slot)
        let sojourn = now.since(ledger.arrival(of: slot))
        let signals = flows[flow].codel.signals(
            sojourn: sojourn,
            isLast: flows[flow].head == PacketLedger.none,
            at: now,
            parameters
        )
        return Departure(slot: slot, sojourn: sojourn, signalsCongestion: signals)
    }

    private mutating func unlinkHead(of flow: Int, _ ledger: inout PacketLedger) -> Int32 {
        let slot = flows[flow].head
        flows[flow].head = ledger.successor(of: slot)
        if flows[flow].head == PacketLedger.none { flows[flow].tail = PacketLedger.none }
        let length = ledger.length(of: slot)
        flows[flow].bytes -= length
        bytes -= length
        count -= 1
        if ledger.size(of: slot) == .large { largeCount -= 1 }
        return slot
    }

    private mutating func append(_ index: Int16, to place: Place) {
        flows[Int(index)].place = place
        flows[Int(index)].next = -1
        var turns = place == .sparse ? sparse : bulk
        if turns.last >= 0 { flows[Int(turns.last)].next = index } else { turns.first = index }
        turns.last = index
        set(turns, place)
    }

    private mutating func removeFirst(of place: Place) {
        var turns = place == .sparse ? sparse : bulk
        turns.first = flows[Int(turns.first)].next
        if turns.first < 0 { turns.last = -1 }
        set(turns, place)
    }

    private mutating func set(_ turns: Turns, _ place: Place) {
        if place == .sparse { sparse = turns } else { bulk = turns }
    }
}
