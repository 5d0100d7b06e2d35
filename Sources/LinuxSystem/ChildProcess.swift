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
    ///   - mayGoOn: is asked twice a second; once it says no, the program is killed as after the timeout.
    /// - Returns: what came of it.
    /// - Throws: `SystemError`, with ETIMEDOUT after the timeout.
    package static func run(
        _ path: String,
        _ arguments: [String],
        environment: [String] = Self.environment,
        timeout: Nanoseconds,
        limit: Int = 64 * 1024,
        mayGoOn: () -> Bool = { true }
    ) throws(SystemError) -> Outcome {
        let attempt = "run \(path) \(arguments.first ?? "")"
        var ends: [CInt] = [-1, -1]
        let result = tendril_pipe(&ends)
        guard result == 0 else { throw SystemError(attempt, code: -result) }
        let reader = OwnedDescriptor(owning: ends[0])
        let pid = try spawn(path, arguments, environment, output: OwnedDescriptor(owning: ends[1]), attempt)
        let deadline = Clock.now() + timeout
        var output: [UInt8] = []
        var status: CInt = 0
        let isInTime =
            collect(from: reader, into: &output, limit: limit, until: deadline, while: mayGoOn)
            && hasEnded(pid, &status, until: deadline, while: mayGoOn)
        if !isInTime {
            kill(-pid, SIGKILL)
            _ = retrying { waitpid(pid, &status, 0) }
        }
        guard isInTime else { throw SystemError(attempt, code: ETIMEDOUT) }
        let signal = status & 0x7F
        let code = signal == 0 ? Int(status >> 8 & 0xFF) : 128 + Int(signal)
        return Outcome(code: code, output: String(decoding: output, as: UTF8.self))
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
    private static func hasEnded(
        _ pid: pid_t,
        _ status: inout CInt,
        until deadline: MonotonicTime,
        while mayGoOn: () -> Bool
    ) -> Bool {
        var pause: UInt32 = 1000
        while retrying({ waitpid(pid, &status, WNOHANG) }) == 0 {
            guard Clock.now() < deadline, mayGoOn() else { return false }
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
        until deadline: MonotonicTime,
        while mayGoOn: () -> Bool
    ) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            var poll = pollfd(fd: reader.rawValue, events: Int16(POLLIN), revents: 0)
            let left = deadline.since(Clock.now()).value
            guard left > 0, mayGoOn() else { return false }
            guard tendril_poll(&poll, 1, min(left, 500_000_000)) >= 0 else { return true }
            if poll.revents == 0 { continue }
            let descriptor = reader.rawValue
            let count = retrying { read(descriptor, &chunk, chunk.count) }
            guard count > 0 else { return true }
            output += chunk[..<min(count, limit - output.count)]
        }
    }
}
