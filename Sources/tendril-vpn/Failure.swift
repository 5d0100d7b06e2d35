import ArgumentParser
import Glibc

/// Ends the program with a message on standard error and a code of sysexits(3).
struct Failure: Error, CustomStringConvertible {
    /// The codes that docs/operations.md lists.
    enum Code: Int32 {
        /// EX_UNAVAILABLE
        case unavailable = 69
        /// EX_OSERR
        case operatingSystem = 71
        /// EX_CONFIG
        case configuration = 78
    }

    let description: String
    let code: Code

    init(_ error: any Error, exitCode: Code) {
        description = "\(error)"
        code = exitCode
    }

    /// Writes each line of the message as an error of its own and ends the process.
    func exit() -> Never {
        for line in description.split(separator: "\n") {
            let text = Array("error: \(line)\n".utf8)
            _ = text.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
        }
        Glibc.exit(code.rawValue)
    }
}
