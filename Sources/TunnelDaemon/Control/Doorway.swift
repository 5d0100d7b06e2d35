import LinuxSystem
import TendrilCore
import TunnelProtocol

/// Where connections wait until they have shown a gate token; strangers cost a descriptor and a few bytes.
struct Doorway {
    /// What became of a connection that sent something.
    enum Verdict {
        case incomplete
        case admitted
        case refused(Gate.Refusal?)
    }

    /// A connection that has not shown a token yet.
    final class Visitor {
        let socket: Handover<StreamSocket>
        let descriptor: CInt
        let address: SocketAddress

        init(_ descriptor: CInt, _ address: SocketAddress) {
            socket = Handover(StreamSocket(owning: OwnedDescriptor(owning: descriptor)))
            self.descriptor = descriptor
            self.address = address
        }
    }

    /// How long a visitor may take to show a token.
    private static var patience: Nanoseconds { .seconds(3) }

    private let gate = Gate()
    private var visitors: WaitingRoom<Visitor>
    private var scratch = [UInt8](repeating: 0, count: ClientHello.maximumByteCount)

    /// Makes a doorway with room for `capacity` visitors; the oldest leaves for a new one.
    init(capacity: Int) { visitors = WaitingRoom(capacity: capacity, patience: Self.patience) }

    var count: Int { visitors.count }

    /// Takes in a connection; returns the visitor that had to leave for it.
    mutating func enter(_ token: UInt64, _ descriptor: CInt, _ address: SocketAddress, at now: MonotonicTime) -> UInt64?
    {
        visitors.enter(Visitor(descriptor, address), as: token, at: now)
    }

    func visitor(_ token: UInt64) -> Visitor? { visitors[token] }

    /// Lets a visitor go, whatever became of it.
    mutating func leave(_ token: UInt64) -> Visitor? { visitors.leave(token) }

    /// A visitor whose time is up.
    mutating func overdue(at now: MonotonicTime) -> UInt64? { visitors.overdue(at: now) }

    /// Looks at what a visitor has sent so far.
    mutating func inspect(_ visitor: Visitor, keys: (_ message: [UInt8], _ mac: [UInt8]) -> Bool) -> Verdict {
        let result = SocketPeek.peek(visitor.descriptor, into: &scratch)
        guard case .bytes(let count) = result else {
            return result == .wouldBlock ? .incomplete : .refused(nil)
        }
        switch ClientHello.read(scratch.span.extracting(first: count)) {
        case .incomplete: return count == scratch.count ? .refused(.notTLS) : .incomplete
        case .notTLS: return .refused(.notTLS)
        case .complete(let hello):
            do throws(Gate.Refusal) {
                try gate.admit(hello, unixTime: Clock.unixTime(), at: Clock.now(), verify: keys)
                return .admitted
            } catch {
                return .refused(error)
            }
        }
    }

    /// The visitor that has waited longest.
    mutating func oldest() -> UInt64? { visitors.oldest() }
}
