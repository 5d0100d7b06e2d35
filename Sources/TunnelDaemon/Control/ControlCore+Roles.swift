import LinuxSystem
import TendrilCore
import TunnelDataPlane

extension ControlCore {
    /// What other threads tell the control loop.
    enum Event: Sendable {
        case worker(Worker.Event)
        case resolved(link: Int, lane: Int, Result<[SocketAddress], SystemError>)
        case nodes(NodeFollower.News)
    }

    /// The role's part in what happens.
    protocol Delegate: AnyObject {
        /// A peer on a connection proved who it is and said hello.
        func introduced(_ greeting: Greeting, _ introduction: Greeting.Introduction, at now: MonotonicTime)
        /// A connection came to nothing.
        func failed(_ greeting: Greeting, _ failure: Greeting.Failure, at now: MonotonicTime)
        /// A worker reports.
        func handle(_ event: Event, at now: MonotonicTime)
        /// A descriptor that the role watches is ready.
        func ready(_ token: UInt64, at now: MonotonicTime)
        /// The identity changed; `old` was in use before.
        func renewed(from old: Identity, at now: MonotonicTime)
        /// How many connections wait for a stream and belong to no worker yet.
        var waitingRequests: Int { get }
        /// Called on every turn; returns when it next has something to do.
        func advance(to now: MonotonicTime) -> MonotonicTime?
    }
}
