package import ArgumentParser
internal import LinuxSystem

/// Where a command writes what others are not to see.
package struct SecretOutput: ParsableArguments {
    @Option(name: .long, help: "The file to write, with mode 0600 (default: standard output).")
    package var out: String?

    package init() {}

    /// Writes it; that this fails ends the program.
    package func write(_ bytes: [UInt8]) throws {
        do {
            if let out {
                try DurableFile.write(bytes, to: out, mode: 0o600)
            } else {
                print(String(decoding: bytes, as: UTF8.self), terminator: "")
            }
        } catch {
            throw Failure(error, exitCode: .operatingSystem)
        }
    }
}
