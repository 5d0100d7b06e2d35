import Glibc

/// A file descriptor with exactly one owner, closed when that owner goes away.
package struct OwnedDescriptor: ~Copyable, Sendable {
    /// The kernel's number for this descriptor, to be borrowed and never closed.
    package let rawValue: CInt

    /// Takes ownership of an open descriptor.
    package init(owning rawValue: CInt) {
        precondition(rawValue >= 0, "only an open descriptor can be owned")
        self.rawValue = rawValue
    }

    /// Takes ownership of what a shim returned, or throws the errno that it returned negated.
    package init(_ result: CInt, _ attempt: @autoclosure () -> String) throws(SystemError) {
        guard result >= 0 else { throw SystemError(attempt(), code: -result) }
        self.rawValue = result
    }

    deinit { _ = Glibc.close(rawValue) }
}
