import ArgumentParser
import CommandSupport
import Coordinator

/// The command `tendril-coordinator snapshot`.
struct SnapshotCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshot",
        abstract: "The steps of the pods that make snapshots of a shoot's etcd, and bring one back.",
        subcommands: [UploadCommand.self, DownloadCommand.self, ReplaceCommand.self, BackCommand.self]
    )
}

/// Where the store is.
struct StoreOptions: ParsableArguments {
    @Option(name: .long, help: "The store's URL without the bucket.")
    var endpoint: String
    @Option(name: .long, help: "The store's region.")
    var region: String
    @Option(name: .long, help: "The bucket.")
    var bucket: String
    @Option(
        name: .long,
        help: "A directory with the files accessKeyID, secretAccessKey and, if need be, ca.crt.",
        completion: .directory
    )
    var credentials: String

    func steps() throws -> SnapshotSteps {
        try orEnd(with: .configuration) {
            try SnapshotSteps(endpoint: endpoint, region: region, bucket: bucket, credentials: credentials)
        }
    }
}

/// Whose data it is.
struct RestorationOptions: ParsableArguments {
    @Option(name: .long, help: "Where etcd's volume is.", completion: .directory)
    var volume: String
    @Option(name: .long, help: "A unique name for this restoration.")
    var restoration: String

    var folders: RestoredFolders { RestoredFolders(volume: volume, restoration: restoration) }
}

/// The command `tendril-coordinator snapshot upload`.
struct UploadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "upload", abstract: "Upload a snapshot.")

    @OptionGroup var store: StoreOptions
    @Option(name: .long, help: "The snapshot.", completion: .file())
    var file: String
    @Option(name: .long, help: "What its key begins with.")
    var keys: String

    func run() async throws {
        let steps = try store.steps()
        print(try await awaited(orEndWith: .unavailable) { try await steps.upload(file, keys: keys) })
    }
}

/// The command `tendril-coordinator snapshot download`.
struct DownloadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "download", abstract: "Fetch a snapshot.")

    @OptionGroup var store: StoreOptions
    @Option(name: .long, help: "Where the snapshot is to be.", completion: .file())
    var file: String
    @Option(name: .long, help: "The snapshot's key.")
    var key: String
    @Option(name: .long, help: "The snapshot's size in bytes.")
    var size: Int

    func run() async throws {
        let steps = try store.steps()
        try await awaited(orEndWith: .unavailable) { try await steps.download(key, to: file, size: size) }
    }
}

/// The command `tendril-coordinator snapshot replace`.
struct ReplaceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replace",
        abstract: "Put a copy of what was made of a snapshot in the place of what etcd has, which is kept."
    )

    @OptionGroup var restored: RestorationOptions
    @Option(name: .long, help: "What was made of the snapshot.", completion: .directory)
    var made: String

    func run() throws { try orEnd(with: .operatingSystem) { try restored.folders.replace(with: made) } }
}

/// The command `tendril-coordinator snapshot back`.
struct BackCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "back",
        abstract: "Have what etcd had before the last restoration, and what it has now, take each other's place."
    )

    @OptionGroup var restored: RestorationOptions

    func run() throws { try orEnd(with: .operatingSystem) { try restored.folders.goBack() } }
}
