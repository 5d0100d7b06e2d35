package import ArgumentParser
internal import LinuxSystem

/// Where a command writes what others are not to see.
package struct SecretOutput: ParsableArguments {
    @Option(name: .long, help: "The file to write, with mode 0600 (default: standard output).")
    package var out: String?

    package init() {}

    /// Writes it; that this fails ends the program.
    package func write(_ bytes: [UInt8]) throws {
        try orEnd(with: .operatingSystem) {
            guard let out else { return print(String(decoding: bytes, as: UTF8.self), terminator: "") }
            try DurableFile.write(bytes, to: out, mode: 0o600)
        }
    }
}
