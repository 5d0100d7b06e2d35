import CTendrilShims
import Glibc

/// A kernel thread that runs one closure to its end.
package struct WorkerThread: ~Copyable {
    private final class Box {
        let name: String
        let body: () -> Void
        init(name: String, body: @escaping () -> Void) { (self.name, self.body) = (name, body) }
    }

    private let handle: pthread_t

    /// Starts `body` on a thread called `name` (15 bytes at most are kept).
    package init(name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
        let box = Unmanaged.passRetained(Box(name: name, body: body))
        var handle = pthread_t()
        let result = pthread_create(
            &handle,
            nil,
            { context in
                guard let context else { return nil }
                let box = Unmanaged<Box>.fromOpaque(context).takeRetainedValue()
                _ = String(box.name.prefix(15)).withCString { tendril_name_thread($0) }
                box.body()
                return nil
            },
            box.toOpaque()
        )
        guard result == 0 else {
            box.release()
            throw SystemError("start the thread \(name)", code: result)
        }
        self.handle = handle
    }

    /// Waits for the end.
    package consuming func join() { pthread_join(handle, nil) }

    /// Lets the thread end by itself.
    package consuming func detach() { pthread_detach(handle) }
}
