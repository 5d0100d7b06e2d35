import CTendrilShims
import Glibc

/// Receives signals as readable events instead of interruptions (signalfd).
package struct SignalReader: ~Copyable, Sendable {
    private let reader: OwnedDescriptor

    /// Blocks `signals` for this thread and those that it starts later, and reads them instead.
    package init(_ signals: [CInt]) throws(SystemError) {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        let result = signalfd(-1, &set, CInt(SFD_CLOEXEC | SFD_NONBLOCK))
        guard result >= 0 else { throw SystemError("read signals", code: errno) }
        reader = OwnedDescriptor(owning: result)
        signal(SIGPIPE, SIG_IGN)
    }

    /// The descriptor to watch for reading.
    package var descriptor: CInt { reader.rawValue }

    /// Takes the next signal's number, or `nil`.
    package func next() -> CInt? {
        var info = signalfd_siginfo()
        let count = Glibc.read(reader.rawValue, &info, MemoryLayout<signalfd_siginfo>.size)
        return count == MemoryLayout<signalfd_siginfo>.size ? CInt(bitPattern: info.ssi_signo) : nil
    }
}
