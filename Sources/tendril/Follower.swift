import ClusterModel
import CommandSupport
import KubernetesClient
import LinuxSystem
import TendrilCore

/// Shows how far a shoot is until it is where it was wanted.
struct Follower {
    let garden: Garden
    let name: String
    /// A table is a line of progress; other formats are the whole object, again for each change: JSON on one line each.
    var output = OutputFormat.table

    /// Changes whether a shoot sleeps, and follows it.
    static func sleep(_ isWanted: Bool, _ name: String, _ options: GardenOptions) async throws {
        let garden = try options.garden()
        try await garden.change(name, ["spec": ["hibernation": ["enabled": .bool(isWanted)]]])
        let generation = try await garden.shoot(name).metadata.generation ?? 0
        try await Follower(garden: garden, name: name).follow(until: generation)
    }

    /// Follows until this generation is done, or has failed for good.
    func follow(until generation: Int) async throws {
        var last = ""
        while true {
            let shoot = try await garden.shoot(name)
            try show(shoot, &last)
            if let operation = shoot.status?.lastOperation {
                if operation.state == .succeeded, shoot.status?.observedGeneration ?? 0 >= generation { break }
                // An older failure is what this change is to mend.
                if operation.state == .failed, operation.generation ?? generation >= generation {
                    end()
                    throw Failure(TextError(description: operation.description), exitCode: .configuration)
                }
            }
            try await Task.sleep(nanoseconds: 500_000_000)
        }
        end()
    }

    /// Follows until the exchange of credentials is so far, or has failed for good.
    func follow(untilRotationIs goal: RotationPhase) async throws {
        var last = ""
        while true {
            let shoot = try await garden.shoot(name)
            let status = shoot.status
            if status?.credentialRotation?.phase == goal, shoot.operation == nil { break }
            try show(shoot, &last)
            if let operation = status?.lastOperation, operation.state == .failed {
                end()
                throw Failure(TextError(description: operation.description), exitCode: .configuration)
            }
            try await Task.sleep(nanoseconds: 500_000_000)
        }
        end()
        print("the rotation of \(garden.project)/\(name) is \(goal.rawValue.lowercased())")
    }

    /// Follows until the shoot is gone.
    func followToTheEnd() async throws {
        var last = ""
        while true {
            let shoot = try await answered { () async throws(APIError) in
                try await garden.client.find(Shoot.self, name, namespace: garden.project)
            }
            guard let shoot else { break }
            try show(shoot, &last)
            try await Task.sleep(nanoseconds: 500_000_000)
        }
        end()
        print("shoot \(garden.project)/\(name) is gone")
    }

    /// What has changed: on a terminal a line in place, elsewhere one more.
    private func show(_ shoot: Shoot, _ last: inout String) throws {
        let text =
            switch output {
            case .table: ShootTable.progress(shoot)
            case .json: String(decoding: try CanonicalJSON.bytes(shoot), as: UTF8.self)
            case .yaml: "---\n" + (try YAMLText.text(try CanonicalJSON.value(shoot))).dropLast()
            }
        guard text != last else { return }
        last = text
        if changesInPlace { print("\r\u{1B}[2K\(text)", terminator: "") } else { print(text) }
        Terminal.flush()
    }

    private var changesInPlace: Bool { output == .table && Terminal.isThere }

    private func end() { if changesInPlace { print() } }
}

/// A failure in words that are there already.
struct TextError: Error, CustomStringConvertible {
    let description: String
}
