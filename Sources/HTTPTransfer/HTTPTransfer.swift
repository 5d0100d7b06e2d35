internal import CCurl
internal import Glibc
package import HTTPModel
package import LinuxSystem

/// Carries requests over the network: one libcurl multi handle on one thread, HTTP/2 where the peer offers it.
///
/// It follows no redirects, asks for no compression, takes no proxy from the environment and bounds every body.
package final class HTTPTransfer: ThreadedTransport {
    enum Command: Sendable {
        case start(Exchange)
        case cancel(UInt64)
        case stop
    }

    private let mailbox: Mailbox<Command>

    package init() throws(SystemError) {
        let mailbox = try Mailbox<Command>()
        self.mailbox = mailbox
        let thread = try WorkerThread(name: "http") { TransferLoop(mailbox).run() }
        thread.detach()
    }

    deinit { mailbox.post(.stop) }

    package func begin(_ carried: CarriedRequest) { mailbox.post(.start(Exchange(carried))) }

    package func cancel(_ number: UInt64) { mailbox.post(.cancel(number)) }
}

/// The thread's own state.
private final class TransferLoop {
    private let mailbox: Mailbox<HTTPTransfer.Command>
    private let multi: UnsafeMutableRawPointer?
    private var running: [UInt64: Exchange] = [:]
    /// After a silent connection timed out, the next exchange does not use it again.
    private var needsFreshConnection = false

    init(_ mailbox: Mailbox<HTTPTransfer.Command>) {
        self.mailbox = mailbox
        curl_global_init(Int(CURL_GLOBAL_DEFAULT))
        multi = curl_multi_init()
    }

    func run() {
        var isStopped = false
        while !isStopped {
            for command in mailbox.drain() {
                switch command {
                case .start(let exchange): start(exchange)
                case .cancel(let number): cancel(number)
                case .stop: isStopped = true
                }
            }
            var active: CInt = 0
            curl_multi_perform(multi, &active)
            finish()
            // Without a transfer under way nothing but a command can happen.
            if !isStopped { tendril_curl_wait(multi, mailbox.descriptor, active > 0 ? 1000 : 60_000) }
        }
        for number in running.keys { cancel(number) }
        curl_multi_cleanup(multi)
    }

    private func start(_ exchange: Exchange) {
        guard let multi else { return exchange.fail(.interrupted, "out of memory") }
        guard exchange.prepare(isFresh: needsFreshConnection) else { return }
        needsFreshConnection = false
        running[exchange.number] = exchange
        curl_multi_add_handle(multi, exchange.handle)
    }

    private func cancel(_ number: UInt64) {
        guard let exchange = running.removeValue(forKey: number) else { return }
        curl_multi_remove_handle(multi, exchange.handle)
        exchange.fail(.cancelled, "cancelled")
    }

    private func finish() {
        var code = CURLE_OK
        var context: UnsafeMutableRawPointer?
        while let handle = tendril_curl_next_finished(multi, &code, &context) {
            curl_multi_remove_handle(multi, handle)
            guard let context else { continue }
            let exchange = context.object(Exchange.self)
            if code == CURLE_OPERATION_TIMEDOUT { needsFreshConnection = true }
            exchange.complete(code)
            running[exchange.number] = nil
        }
    }
}
