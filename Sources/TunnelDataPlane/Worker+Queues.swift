package import LinuxSystem
import TendrilCore
import TunnelProtocol

/// Who reads which queue of the TUN device.
///
/// A flow has one queue, which both ends of a link know: its hash says it, and the kernel learns it from what is written
/// there. As long as there is little to do the first worker reads all queues; when there is much, each reads its own.
extension Worker {
    /// Lets a worker know all of them, in their order; before any of their threads is started.
    ///
    /// - Parameter crew: all workers, this one too.
    /// - Throws: `SystemError` where the kernel does not let their queues be watched.
    package func join(_ crew: [Worker]) throws(SystemError) {
        self.crew = crew
        guard index == 0 else { return }
        for worker in crew { try watch(worker) }
    }

    /// The queue of a packet that came in by a lane.
    @inline(__always)
    func queue(for packet: InnerPacket) -> Int {
        guard crew.count > 1 else { return index }
        return side.queue(inward: packet, count: crew.count)
    }

    /// Once a tick: notes the load, and as the first worker says who reads what from now on.
    func shareQueues(at now: MonotonicTime) {
        if load.take() { lastHeavy.store(now.nanoseconds, at: 0) }
        guard index == 0, crew.count > 1 else { return }
        var latest: UInt64 = 0
        for worker in crew { latest = max(latest, worker.lastHeavy.load(0)) }
        let isHeavy = latest != 0 && now.since(MonotonicTime(nanoseconds: latest)).value < QueueLoad.calm
        guard isHeavy != isWide else { return }
        isWide = isHeavy
        for worker in crew.dropFirst() {
            if isWide { unwatch(worker) }
            worker.mailbox.post(.readOwnQueue(isWide))
        }
    }

    /// Starts to read the own queue, or stops and says so to the first worker.
    func readOwnQueue(_ isWanted: Bool) {
        if isWanted {
            watchQueue(index)
        } else {
            unwatch(self)
            crew.first?.mailbox.post(.readQueue(index))
        }
    }

    /// Reads a queue from now on.
    func watchQueue(_ number: Int) {
        do throws(SystemError) {
            try watch(crew[number])
        } catch {
            report(.deviceLost(error))
        }
    }

    /// Reads a queue no more, for it is gone.
    func lostQueue(_ number: Int, _ error: SystemError) {
        unwatch(crew[number])
        report(.deviceLost(error))
    }

    private func watch(_ worker: Worker) throws(SystemError) {
        guard let descriptor = worker.queueDescriptor else { return }
        try poller.watch(descriptor, for: .readable, token: Token.firstQueue + UInt64(worker.index))
    }

    private func unwatch(_ worker: Worker) {
        if let descriptor = worker.queueDescriptor { poller.unwatch(descriptor) }
    }

    /// Reads a packet from this worker's queue, on whichever worker's thread; `nil` where it has none.
    @inline(never)  // Swift 6.3 cannot inline a look at another object's queue.
    func read(to address: UnsafeMutableRawPointer, capacity: Int) -> Transfer? {
        switch tun {
        case .some(let queue): queue.read(to: address, capacity: capacity)
        case .none: nil
        }
    }

    /// Writes a packet to this worker's queue, on whichever worker's thread; returns whether it was taken.
    @inline(never)
    func write(_ start: UnsafeRawPointer, count: Int) -> Bool {
        switch tun {
        case .some(let queue): if case .bytes = queue.write(start, count: count) { true } else { false }
        case .none: false
        }
    }

    private var queueDescriptor: CInt? {
        switch tun {
        case .some(let queue): queue.rawDescriptor
        case .none: nil
        }
    }
}
