internal import CLibeventTLS
internal import Glibc
package import HTTPModel
package import LinuxSystem

/// Carries requests over the network by libevent, each over a connection of its own, all on one thread: for a program that
/// asks seldom and cannot afford libcurl's memory.
///
/// It speaks HTTP/1.1 over TLS, knows no proxies, follows no redirects and bounds every body.
package final class EventTransfer: ThreadedTransport {
    enum Command: Sendable {
        case start(EventExchange)
        case cancel(UInt64)
        /// Gives back what an exchange held that is over; never from within its own callbacks.
        case bury(UInt64)
        case stop
    }

    private let mailbox: Mailbox<Command>

    package init() throws(SystemError) {
        let mailbox = try Mailbox<Command>()
        self.mailbox = mailbox
        let loop = try EventLoop(mailbox)
        let thread = try WorkerThread(name: "requests") { loop.run() }
        thread.detach()
    }

    deinit { mailbox.post(.stop) }

    package func begin(_ carried: CarriedRequest) { mailbox.post(.start(EventExchange(carried))) }

    package func cancel(_ number: UInt64) { mailbox.post(.cancel(number)) }
}

/// The thread's own state.
private final class EventLoop: @unchecked Sendable {
    private let mailbox: Mailbox<EventTransfer.Command>
    private let base: OpaquePointer
    private var running: [UInt64: EventExchange] = [:]

    init(_ mailbox: Mailbox<EventTransfer.Command>) throws(SystemError) {
        guard let base = event_base_new() else { throw SystemError("make an event base", code: ENOMEM) }
        (self.mailbox, self.base) = (mailbox, base)
    }

    deinit { event_base_free(base) }

    func run() {
        let context = UnsafeMutableRawPointer(to: self)
        let wake: event_callback_fn = { _, _, context in context?.object(EventLoop.self).obey() }
        guard let event = event_new(base, mailbox.descriptor, Int16(EV_READ | EV_PERSIST), wake, context) else {
            return
        }
        event_add(event, nil)
        withExtendedLifetime(self) { _ = event_base_dispatch(base) }
        event_free(event)
        for exchange in running.values { exchange.abandon() }
        running = [:]
    }

    private func obey() {
        for command in mailbox.drain() {
            switch command {
            case .start(let exchange):
                let (number, mailbox) = (exchange.number, mailbox)
                running[number] = exchange
                exchange.start(on: base) { mailbox.post(.bury(number)) }
            case .cancel(let number): running[number]?.abandon()
            case .bury(let number): running.removeValue(forKey: number)?.release()
            case .stop: event_base_loopbreak(base)
            }
        }
    }
}
