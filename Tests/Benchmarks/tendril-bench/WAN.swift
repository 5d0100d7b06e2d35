import ArgumentParser
import CTendrilShims
import Glibc
import LinuxSystem
import TendrilCore

/// A wide-area network between two namespaces: a rate, a delay, a tail-drop queue and random loss in each direction.
///
/// It is a TUN device called `wan` in each namespace with this program between them; it ends with standard input.
struct WANCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "wan")

    @Option(name: .long, help: "Path of the first namespace, such as /run/netns/a.") var first: String
    @Option(name: .long, help: "Path of the second namespace.") var second: String
    @Option(name: .long, help: "Mbit/s.") var rate = 300.0
    @Option(name: .long, help: "Milliseconds one way.") var delay = 5.0
    @Option(name: .long, help: "Bytes.") var queue = 1_000_000
    @Option(name: .long, help: "Share of packets, 0 to 1.") var loss = 0.0

    func run() throws {
        let first = try Self.device(in: first)
        let second = try Self.device(in: second)
        var there = Direction(bytesPerSecond: rate * 1e6 / 8, delay: delay, queue: queue, loss: loss)
        var back = Direction(bytesPerSecond: rate * 1e6 / 8, delay: delay, queue: queue, loss: loss)
        Figures.show([("ready", 1)])
        var packet = [UInt8](repeating: 0, count: 65536)
        while true {
            let now = Clock.now()
            there.deliver(to: second.rawValue, at: now)
            back.deliver(to: first.rawValue, at: now)
            var polls = [first.rawValue, second.rawValue, 0].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            let next = min(there.nextDelivery, back.nextDelivery)
            _ = tendril_poll(&polls, 3, min(next.since(now).value, 50_000_000))
            if polls[2].revents != 0 { return }
            let then = Clock.now()
            there.take(from: first.rawValue, &packet, at: then)
            back.take(from: second.rawValue, &packet, at: then)
        }
    }

    private static func device(in namespace: String) throws -> OwnedDescriptor {
        let result = tendril_open(namespace, O_RDONLY, 0)
        let handle = try OwnedDescriptor(result, "open \(namespace)")
        let entered = tendril_enter_network_namespace(handle.rawValue)
        guard entered == 0 else { throw SystemError("enter \(namespace)", code: -entered) }
        let descriptor = tendril_tun_open_plain("wan")
        return try OwnedDescriptor(descriptor, "create wan")
    }
}

/// One direction of the network.
private struct Direction {
    let bytesPerSecond: Double
    let delay: Nanoseconds
    let queue: Int
    let loss: Double
    private var line: [(bytes: [UInt8], at: MonotonicTime)] = []
    private var start = 0
    private var busyUntil = MonotonicTime(nanoseconds: 0)

    init(bytesPerSecond: Double, delay: Double, queue: Int, loss: Double) {
        self.bytesPerSecond = bytesPerSecond
        self.delay = Nanoseconds(UInt64(delay * 1e6))
        self.queue = queue
        self.loss = loss
    }

    var nextDelivery: MonotonicTime { start < line.count ? line[start].at : MonotonicTime(nanoseconds: .max) }

    mutating func take(from descriptor: CInt, _ packet: inout [UInt8], at now: MonotonicTime) {
        for _ in 0..<64 {
            let count = read(descriptor, &packet, packet.count)
            guard count > 0 else { return }
            let waiting = Double(busyUntil.since(now).value) / 1e9 * bytesPerSecond
            if Int(waiting) + count > queue || Double.random(in: 0..<1) < loss { continue }
            let from = max(busyUntil, now)
            busyUntil = from + Nanoseconds(UInt64(Double(count) / bytesPerSecond * 1e9))
            line.append((Array(packet[..<count]), busyUntil + delay))
        }
    }

    mutating func deliver(to descriptor: CInt, at now: MonotonicTime) {
        while start < line.count, line[start].at <= now {
            _ = write(descriptor, line[start].bytes, line[start].bytes.count)
            start += 1
        }
        if start > 4096 {
            line.removeSubrange(..<start)
            start = 0
        }
    }
}
