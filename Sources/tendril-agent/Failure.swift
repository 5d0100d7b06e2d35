import Glibc

/// Ends the program with a message on standard error and a code that docs/operations.md lists.
struct Failure: Error, CustomStringConvertible {
    /// EX_UNAVAILABLE of sysexits(3).
    static let unavailable: Int32 = 69
    /// EX_OSERR of sysexits(3).
    static let operatingSystem: Int32 = 71
    /// EX_CONFIG of sysexits(3).
    static let invalidConfiguration: Int32 = 78

    let description: String
    let code: Int32

    init(_ error: any Error, code: Int32) { (description, self.code) = ("\(error)", code) }

    /// Writes each line of the message as an error of its own and ends the process.
    func exit() -> Never {
        for line in description.split(separator: "\n") {
            let text = Array("error: \(line)\n".utf8)
            _ = text.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
        }
        Glibc.exit(code)
    }
}
