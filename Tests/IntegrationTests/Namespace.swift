import CTendrilShims
import Foundation
import LinuxSystem

/// Other network namespaces than the test's own.
enum Namespace {
    /// Runs a body on a thread that lives in the namespace at `path`.
    static func within<Value>(_ path: String, _ body: @escaping @Sendable () throws -> Value) throws -> Value {
        nonisolated(unsafe) var result: Result<Value, any Error> = .failure(LabError("could not enter \(path)"))
        let thread = try WorkerThread(name: "namespace") {
            let handle = open(path, O_RDONLY | O_CLOEXEC)
            guard handle >= 0, tendril_enter_network_namespace(handle) == 0 else { return }
            close(handle)
            result = Result { try body() }
        }
        thread.join()
        return try result.get()
    }
}
