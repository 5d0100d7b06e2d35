/// Hands messages to a thread that waits in a poller.
///
/// It is bounded only by its senders, which are our own control code.
package final class Mailbox<Message>: Sendable where Message: Sendable {
    private let queue = Guarded<[Message]>([])
    private let wakeUp: WakeUp

    package init() throws(SystemError) { wakeUp = try WakeUp() }

    /// The descriptor to watch for reading.
    package var descriptor: CInt { wakeUp.descriptor }

    /// Adds a message and wakes the receiver.
    package func post(_ message: Message) {
        queue.withLock { $0.append(message) }
        wakeUp.signal()
    }

    /// Adds a message unless `limit` of them wait already; returns whether it was added.
    package func post(_ message: Message, limit: Int) -> Bool {
        let isAdded = queue.withLock { messages in
            guard messages.count < limit else { return false }
            messages.append(message)
            return true
        }
        if isAdded { wakeUp.signal() }
        return isAdded
    }

    /// Takes all messages in their order.
    package func drain() -> [Message] {
        wakeUp.clear()
        return queue.withLock { messages in
            defer { messages = [] }
            return messages
        }
    }
}
