import CTendrilShims
import Glibc

/// Waits for many descriptors at once (epoll); level-triggered where `edge` is not asked for.
package struct Poller: ~Copyable, @unchecked Sendable {
    /// What a descriptor is ready for, or is watched for.
    package struct Events: OptionSet, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }

        package static let readable = Events(rawValue: EPOLLIN.rawValue)
        package static let writable = Events(rawValue: EPOLLOUT.rawValue)
        /// Something to read, or the end of the connection.
        package static let arrival = Events(rawValue: EPOLLIN.rawValue | EPOLLERR.rawValue | EPOLLHUP.rawValue)
        /// Room to write, or the end of the connection.
        package static let departure = Events(rawValue: EPOLLOUT.rawValue | EPOLLERR.rawValue | EPOLLHUP.rawValue)
        /// The peer sends nothing more, or the end of the connection.
        package static let lastArrival = Events(rawValue: EPOLLRDHUP.rawValue | EPOLLERR.rawValue | EPOLLHUP.rawValue)
        /// The peer sends nothing more.
        package static let readEnd = Events(rawValue: EPOLLRDHUP.rawValue)
        /// Both directions of the connection are over.
        package static let hangUp = Events(rawValue: EPOLLERR.rawValue | EPOLLHUP.rawValue)
        /// Both directions.
        package static let both = Events(rawValue: EPOLLIN.rawValue | EPOLLOUT.rawValue)
        /// Reports only what is new.
        package static let edge = Events(rawValue: EPOLLET.rawValue)
    }

    private static var batch: Int { 64 }

    private let descriptor: OwnedDescriptor
    private let buffer: UnsafeMutablePointer<epoll_event>

    package init() throws(SystemError) {
        let result = epoll_create1(CInt(EPOLL_CLOEXEC))
        guard result >= 0 else { throw SystemError("create an epoll instance", code: errno) }
        descriptor = OwnedDescriptor(owning: result)
        buffer = .allocate(capacity: Self.batch)
        buffer.initialize(repeating: epoll_event(), count: Self.batch)
    }

    deinit { buffer.deallocate() }

    /// Starts reporting readiness of a descriptor under `token`.
    package func watch(_ target: CInt, for events: Events, token: UInt64) throws(SystemError) {
        try control(EPOLL_CTL_ADD, target, events, token)
    }

    /// Changes what a watched descriptor is watched for.
    package func rewatch(_ target: CInt, for events: Events, token: UInt64) throws(SystemError) {
        try control(EPOLL_CTL_MOD, target, events, token)
    }

    /// Stops reporting; harmless where the descriptor is not watched.
    package func unwatch(_ target: CInt) {
        var event = epoll_event()
        _ = epoll_ctl(descriptor.rawValue, EPOLL_CTL_DEL, target, &event)
    }

    /// Waits up to `milliseconds` (-1: for ever) and lends each ready token with its events.
    package func wait(milliseconds: CInt, _ body: (UInt64, Events) -> Void) {
        let count = epoll_wait(descriptor.rawValue, buffer, CInt(Self.batch), milliseconds)
        guard count > 0 else { return }
        for index in 0..<Int(count) { body(buffer[index].data.u64, Events(rawValue: buffer[index].events)) }
    }

    private func control(_ operation: CInt, _ target: CInt, _ events: Events, _ token: UInt64) throws(SystemError) {
        var event = epoll_event(events: events.rawValue, data: epoll_data(u64: token))
        guard epoll_ctl(descriptor.rawValue, operation, target, &event) == 0 else {
            throw SystemError("watch a descriptor", code: errno)
        }
    }
}
