import CTendrilShims
import Glibc
package import TendrilCore

/// Programs that are run to their end, with bounds on their time and output.
package enum ChildProcess {
    /// What came of a program.
    package struct Outcome: Hashable, Sendable {
        /// The exit code; 128 and the signal's number where a signal ended it.
        package let code: Int
        /// Standard output and errors together, cut at the limit.
        package let output: String

        package var isSuccess: Bool { code == 0 }
    }

    /// What becomes of a program that runs.
    package enum Verdict: Sendable {
        case goOn
        /// It is told to end (SIGINT, as a terminal does it), once, and killed where it does not do so in time.
        case interrupt
        case kill
    }

    /// What a program finds in its environment; the parent's is not handed on.
    package static let environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"]

    /// Runs a program; a shell is never involved.
    ///
    /// Blocks the thread.
    ///
    /// - Parameters:
    ///   - path: an absolute path.
    ///   - arguments: after the program's name.
    ///   - environment: all of it.
    ///   - timeout: after it the program is killed with its children, and the run fails.
    ///   - limit: how much of the output is kept, in bytes.
    ///   - patience: how long it may go on once it was interrupted.
    ///   - verdict: is asked twice a second.
    /// - Returns: what came of it.
    /// - Throws: `SystemError`, with ETIMEDOUT where it was killed.
    package static func run(
        _ path: String,
        _ arguments: [String],
        environment: [String] = Self.environment,
        timeout: Nanoseconds,
        limit: Int = 64 * 1024,
        patience: Nanoseconds = .seconds(15),
        verdict: () -> Verdict = { .goOn }
    ) throws(SystemError) -> Outcome {
        let attempt = "run \(path) \(arguments.first ?? "")"
        var ends: [CInt] = [-1, -1]
        let result = tendril_pipe(&ends)
        guard result == 0 else { throw SystemError(attempt, code: -result) }
        let reader = OwnedDescriptor(owning: ends[0])
        let pid = try spawn(path, arguments, environment, output: OwnedDescriptor(owning: ends[1]), attempt)
        var watch = Watch(pid: pid, deadline: Clock.now() + timeout, patience: patience)
        var output: [UInt8] = []
        var status: CInt = 0
        let isInTime =
            collect(from: reader, into: &output, limit: limit, &watch, verdict) && hasEnded(&status, &watch, verdict)
        if !isInTime {
            kill(-pid, SIGKILL)
            _ = retrying { waitpid(pid, &status, 0) }
        }
        guard isInTime else { throw SystemError(attempt, code: ETIMEDOUT) }
        let signal = status & 0x7F
        let code = signal == 0 ? Int(status >> 8 & 0xFF) : 128 + Int(signal)
        return Outcome(code: code, output: String(decoding: output, as: UTF8.self))
    }

    /// Sees that a program ends in time.
    private struct Watch {
        let pid: pid_t
        var deadline: MonotonicTime
        let patience: Nanoseconds
        private var isInterrupted = false

        init(pid: pid_t, deadline: MonotonicTime, patience: Nanoseconds) {
            (self.pid, self.deadline, self.patience) = (pid, deadline, patience)
        }

        /// Whether it may go on; it is told where it is to end.
        mutating func permits(_ verdict: Verdict) -> Bool {
            if verdict == .interrupt, !isInterrupted {
                isInterrupted = true
                deadline = min(deadline, Clock.now() + patience)
                kill(-pid, SIGINT)
            }
            return verdict != .kill && Clock.now() < deadline
        }
    }

    private static func spawn(
        _ path: String,
        _ arguments: [String],
        _ environment: [String],
        output: consuming OwnedDescriptor,
        _ attempt: String
    ) throws(SystemError) -> pid_t {
        var argv = ([path] + arguments).map { strdup($0) } + [nil]
        var envp = environment.map { strdup($0) } + [nil]
        defer { for text in argv + envp { free(text) } }
        let pid = tendril_spawn(path, &argv, &envp, output.rawValue)
        guard pid > 0 else { throw SystemError(attempt, code: -pid) }
        return pid
    }

    /// Waits for a program that has closed its output; whether its end came in time.
    private static func hasEnded(_ status: inout CInt, _ watch: inout Watch, _ verdict: () -> Verdict) -> Bool {
        let pid = watch.pid
        var pause: UInt32 = 1000
        while retrying({ waitpid(pid, &status, WNOHANG) }) == 0 {
            guard watch.permits(verdict()) else { return false }
            usleep(pause)
            pause = min(pause * 2, 500_000)
        }
        return true
    }

    /// Reads until the program closes its output; whether that came in time.
    private static func collect(
        from reader: borrowing OwnedDescriptor,
        into output: inout [UInt8],
        limit: Int,
        _ watch: inout Watch,
        _ verdict: () -> Verdict
    ) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            var poll = pollfd(fd: reader.rawValue, events: Int16(POLLIN), revents: 0)
            guard watch.permits(verdict()) else { return false }
            let left = watch.deadline.since(Clock.now()).value
            guard tendril_poll(&poll, 1, min(left, 500_000_000)) >= 0 else { return true }
            if poll.revents == 0 { continue }
            let descriptor = reader.rawValue
            let count = retrying { read(descriptor, &chunk, chunk.count) }
            guard count > 0 else { return true }
            output += chunk[..<min(count, limit - output.count)]
        }
    }
}
