import Glibc

/// Something that reads what others wrote, and well-formed input for it to begin with.
struct FuzzTarget: Sendable {
    let name: String
    let seeds: [[UInt8]]
    /// Takes any bytes; a trap is a finding.
    let run: @Sendable ([UInt8]) -> Void
}

/// libFuzzer's own loop (https://llvm.org/docs/LibFuzzer.html, "Using libFuzzer as a library").
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// What is run; libFuzzer's callback has no context.
nonisolated(unsafe) private var chosen: FuzzTarget?

/// The program: `tendril-fuzz TARGET CORPUS-DIRECTORY [OPTION OF LIBFUZZER…]`, without arguments the names of all targets.
@main
struct TendrilFuzz {
    private static let targets = [ConnectFuzz.target, StreamFuzz.target, FrameFuzz.target, PacketFuzz.target]

    static func main() {
        guard CommandLine.arguments.count > 2 else { return print(targets.map(\.name).joined(separator: "\n")) }
        guard let target = targets.first(where: { $0.name == CommandLine.arguments[1] }) else { exit(64) }
        for (index, seed) in target.seeds.enumerated() { write(seed, to: "\(CommandLine.arguments[2])/seed-\(index)") }
        chosen = target
        var arguments = CommandLine.arguments.enumerated().filter { $0.offset != 1 }.map { strdup($0.element) } + [nil]
        arguments.withUnsafeMutableBufferPointer { buffer in
            guard var start = buffer.baseAddress else { return }
            var count = CInt(buffer.count - 1)
            _ = runDriver(&count, &start) { bytes, count in
                chosen?.run(Array(UnsafeBufferPointer(start: bytes, count: count)))
                return 0
            }
        }
    }

    private static func write(_ bytes: [UInt8], to path: String) {
        guard let file = fopen(path, "w") else { exit(73) }
        fwrite(bytes, 1, bytes.count, file)
        fclose(file)
    }
}
