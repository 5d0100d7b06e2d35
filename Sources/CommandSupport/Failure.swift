internal import Glibc
internal import LinuxSystem
internal import TendrilCore

/// Ends a program with a message on standard error and a code that docs/operations.md lists.
package struct Failure: Error, CustomStringConvertible {
    /// How a program ends.
    package struct Code: Sendable {
        package let value: Int32

        package init(_ value: Int32) { self.value = value }

        /// EX_UNAVAILABLE of sysexits(3).
        package static let unavailable = Code(69)
        /// EX_OSERR of sysexits(3).
        package static let operatingSystem = Code(71)
        /// EX_CONFIG of sysexits(3).
        package static let configuration = Code(78)
    }

    package let description: String
    package let code: Code

    package init(_ error: any Error, exitCode: Code) {
        description = "\(error)"
        code = exitCode
    }

    /// Ends it for what is wrong with a file, which each line names; what a system call could not do names it already.
    package init(_ error: any Error, in file: String, exitCode: Code) {
        guard !(error is SystemError) else {
            self.init(error, exitCode: exitCode)
            return
        }
        let lines = "\(error)".split(separator: "\n").map { "\(file): \($0)" }
        self.init(lines.joined(separator: "\n"), exitCode: exitCode)
    }

    /// Ends it in words that are there already.
    package init(_ text: String, exitCode: Code) { (description, code) = (text, exitCode) }

    /// Writes each line of the message as an error of its own, as far as it is printable, and ends the process.
    ///
    /// What others have written, such as an API server's answer, does nothing to a terminal.
    package func exit() -> Never {
        for line in description.split(separator: "\n") {
            let text = Array("error: \(PrintableText.make(line.utf8))\n".utf8)
            _ = text.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
        }
        ProcessEnd.now(code.value)
    }
}

/// Does something; that it fails ends the program.
///
/// - Parameters:
///   - code: the program's exit code then.
///   - body: does it.
/// - Returns: what `body` returns.
/// - Throws: `Failure`.
package func orEnd<Value>(with code: Failure.Code, _ body: () throws -> Value) throws -> Value {
    do { return try body() } catch { throw Failure(error, exitCode: code) }
}

/// Does something that waits, as `orEnd` does what does not.
package func awaited<Value>(orEndWith code: Failure.Code, _ body: () async throws -> Value) async throws -> Value {
    do { return try await body() } catch { throw Failure(error, exitCode: code) }
}
