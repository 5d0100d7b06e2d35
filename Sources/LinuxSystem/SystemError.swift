import Glibc

/// A system call that failed: what was attempted, and the kernel's reason.
package struct SystemError: Error, Hashable, CustomStringConvertible {
    /// The attempt, worded to follow "could not".
    package let attempt: String
    /// The kernel's number.
    package let code: CInt

    package init(_ attempt: String, code: CInt) {
        self.attempt = attempt
        self.code = code
    }

    /// Whether nobody listens at the other end.
    package var isConnectionRefused: Bool { code == ECONNREFUSED }

    /// Whether the other end did not answer in time.
    package var isTimeout: Bool { code == ETIMEDOUT }

    /// Whether an address is none of this host's.
    package var isNoAddressOfThisHost: Bool { code == EADDRNOTAVAIL }

    package var description: String { "could not \(attempt): \(Self.text(code))" }

    /// The C library's words for an error number.
    package static func text(_ code: CInt) -> String { String(cString: strerror(code)) }
}

/// Calls into the kernel, retrying while interrupted by a signal; returns the value or the negated errno.
@inline(__always)
func retrying<Value: SignedInteger>(_ call: () -> Value) -> Int {
    while true {
        let value = call()
        if value != -1 { return Int(value) }
        // Read at once: any runtime call made first could overwrite it.
        let code = errno
        if code != EINTR { return -Int(code) }
    }
}

/// What a non-blocking transfer came to.
package enum Transfer: Hashable, Sendable {
    case bytes(Int)
    /// Nothing can be moved now.
    case wouldBlock
    /// The peer closed its direction.
    case ended
    /// The kernel's number.
    case failed(CInt)

    @inline(__always)
    init(_ result: Int, zeroMeansEnd: Bool) {
        if result > 0 || (result == 0 && !zeroMeansEnd) {
            self = .bytes(result)
        } else if result == 0 {
            self = .ended
        } else {
            self = -result == Int(EAGAIN) ? .wouldBlock : .failed(CInt(-result))
        }
    }
}
