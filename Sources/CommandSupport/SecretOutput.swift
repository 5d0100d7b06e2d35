package import ArgumentParser
internal import LinuxSystem

/// Where a command writes what others are not to see.
package struct SecretOutput: ParsableArguments {
    @Option(
        name: .long,
        help: "The file to write, with mode 0600; - is standard output, as is the default.",
        completion: .file()
    )
    package var out: String?

    @Flag(name: .long, help: "With --out: replace a regular file that is there already, whatever it holds.")
    package var force = false

    package init() {}

    /// Writes it; that this fails ends the program.
    ///
    /// - Parameters:
    ///   - bytes: what is written.
    ///   - mayReplace: whether a file with this content is replaced although nobody has said so.
    /// - Throws: `Failure`.
    package func write(_ bytes: [UInt8], replacing mayReplace: ([UInt8]) -> Bool = { _ in false }) throws {
        guard let out, out != "-" else { return print(String(decoding: bytes, as: UTF8.self), terminator: "") }
        try SecretFile.write(
            bytes,
            to: out,
            "--out",
            orElse: "to replace it: --force",
            orNever: "for a pipe leave --out out"
        ) { present in
            if force { return true }
            let content = try present()
            return content.isEmpty || mayReplace(content)
        }
    }
}

/// A file with what others are not to see, at a path that a person names.
package enum SecretFile {
    /// Writes it with mode 0600 where nothing is, or nothing but an empty file; that this fails ends the program.
    ///
    /// What is no regular file is left alone: it would be replaced by one.
    ///
    /// - Parameters:
    ///   - bytes: what is written.
    ///   - path: where.
    ///   - flag: by which the path was given.
    ///   - advice: what is said besides where another file is there.
    ///   - otherAdvice: what is said besides where something is there that is never replaced.
    ///   - mayReplace: whether a file that is there is replaced; it may ask for its content.
    /// - Throws: `Failure`.
    package static func write(
        _ bytes: [UInt8],
        to path: String,
        _ flag: String,
        orElse advice: String,
        orNever otherAdvice: String,
        replacing mayReplace: (() throws -> [UInt8]) throws -> Bool = { try $0().isEmpty }
    ) throws {
        func failure(_ reason: String) -> Failure { Failure("\(flag): \(path) \(reason)", exitCode: .operatingSystem) }
        try orEnd(with: .operatingSystem) {
            switch try DurableFile.occupant(of: path) {
            case .nothing: break
            case .file:
                guard try mayReplace({ try DurableFile.read(path) }) else {
                    throw failure("is there already; \(advice)")
                }
            case .other: throw failure("is no regular file (links are not followed); \(otherAdvice)")
            }
            try DurableFile.write(bytes, to: path, mode: 0o600)
        }
    }
}
