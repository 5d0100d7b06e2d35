import LinuxSystem
import NodeAgent
import NodePlan
import TLSEngine
import TestSupport
import Testing

@Suite("Applying, stopped at every point")
struct CrashTests {
    /// What happens to the machine after the crash.
    enum Recovery: CaseIterable, Sendable {
        case goesOn
        case goesBack
        case resets
    }

    @Test("leaves no bad state, whatever is lost", arguments: MemoryFiles.Loss.allCases, Recovery.allCases)
    func everyPoint(loss: MemoryFiles.Loss, recovery: Recovery) throws {
        let total = try Reference().operationsOfChange()
        #expect(total > 60, "the reference configuration is too small to show anything")
        try everyPoint(loss, recovery, from: 1)
        // No unit comes or goes, which would have systemd read all of them in any case.
        try everyPoint(loss, recovery, from: 2)
    }

    private func everyPoint(_ loss: MemoryFiles.Loss, _ recovery: Recovery, from generation: Int) throws {
        for point in 0...(try Reference(from: generation).operationsOfChange()) {
            var generator = SeededGenerator(seed: UInt64(point))
            let machine = try Reference(from: generation)
            try machine.bring(machine.old)
            machine.clock.restart()
            machine.clock.stopBefore = point
            do {
                try machine.bring(machine.new)
            } catch is Crash {
                // As planned.
            }
            machine.files.crash(loss, using: &generator)
            if loss != .none { machine.units.boot() }
            try machine.expectWholeFiles("\(loss), \(recovery), point \(point)")
            let wanted: DesiredNode =
                switch recovery {
                case .goesOn: machine.new
                case .goesBack: machine.old
                case .resets: .nothing
                }
            try machine.recover(wanted)
            try machine.expect(wanted, "\(loss), \(recovery), point \(point)")
        }
    }

    @Test("A second crash during the recovery changes nothing of that", arguments: MemoryFiles.Loss.allCases)
    func twice(loss: MemoryFiles.Loss) throws {
        let total = try Reference().operationsOfChange()
        for first in stride(from: 0, through: total, by: 3) {
            for second in stride(from: 0, through: total, by: 11) {
                var generator = SeededGenerator(seed: UInt64(first * 1000 + second))
                let machine = try Reference()
                try machine.bring(machine.old)
                for point in [first, second] {
                    machine.clock.restart()
                    machine.clock.stopBefore = point
                    do { try machine.recover(machine.new) } catch is Crash {}
                    machine.files.crash(loss, using: &generator)
                    if loss != .none { machine.units.boot() }
                }
                try machine.recover(machine.new)
                try machine.expect(machine.new, "\(loss), points \(first) and \(second)")
            }
        }
    }

    @Test(
        "A disk that fails at any operation is told as that, and the next pass makes up for it",
        arguments: [5, 28, 30]
    )
    func failingDisk(code: Int32) throws {
        let total = try Reference().operationsOfChange()
        for point in 0..<total {
            let machine = try Reference()
            try machine.bring(machine.old)
            machine.clock.restart()
            // EIO, ENOSPC, EROFS (errno(3))
            machine.clock.failure = SystemError("write a file", code: code)
            machine.clock.stopBefore = point
            let error = #expect(throws: SystemError.self) { try machine.bring(machine.new) }
            #expect(error.map { AgentFailure($0).cause } == .disk)
            machine.clock.restart()
            try machine.expectWholeFiles("point \(point)")
            try machine.bring(machine.new)
            try machine.expect(machine.new, "point \(point)")
        }
    }

    @Test("A pass over what is as it is wanted does nothing")
    func nothingToDo() throws {
        let machine = try Reference()
        try machine.bring(machine.new)
        let plan = try machine.applier.plan(to: machine.new)
        #expect(plan.isEmpty)
    }

    @Test("What somebody changed is put back, and the unit that reads it restarted")
    func drift() throws {
        let machine = try Reference()
        try machine.bring(machine.new)
        machine.files.place("/etc/app/one.conf", "tampered")
        try machine.bring(machine.new)
        try machine.expect(machine.new, "drift")
    }
}

/// A machine with files of its own, and two generations: the second one adds, changes and removes, the third only changes.
private struct Reference {
    let clock = CrashClock()
    let files: MemoryFiles
    let units: MemoryUnits
    let applier: Applier<MemoryFiles>
    let old: DesiredNode
    let new: DesiredNode
    private let originals = ["/etc/containerd/config.toml": "packaged\n", "/etc/app/two.conf": "two of the image\n"]

    /// A file that comes out of an image.
    private static let tool = "a large program\n"

    init(from generation: Int = 1) throws {
        files = MemoryFiles(clock)
        units = MemoryUnits(clock, files)
        for (path, text) in originals { files.place(path, text) }
        files.place(AgentPaths.download(Digest.hex(Array(Self.tool.utf8))), Self.tool)
        units.reads = [
            "containerd.service": [
                "/etc/containerd/config.toml", "/etc/systemd/system/containerd.service.d/10-a.conf",
            ],
            "app.service": ["/etc/systemd/system/app.service", "/etc/app/one.conf", "/etc/app/two.conf"],
            "old.service": ["/etc/systemd/system/old.service"],
            "new.service": ["/etc/systemd/system/new.service"],
        ]
        units.units["containerd.service"] = .init(isActive: true, isEnabled: true)
        units.boot()
        applier = Applier(files: files, units: units)
        old = try Self.node(generation: generation)
        new = try Self.node(generation: generation + 1)
    }

    private static func node(generation: Int) throws -> DesiredNode {
        var spec = NodeConfiguration.Spec()
        func file(_ path: String, _ text: String, mode: String = "0644") -> NodeConfiguration.File {
            NodeConfiguration.File(path: path, mode: mode, content: .init(inline: text))
        }
        var files = [
            file("/etc/containerd/config.toml", "generation \(generation)\n"),
            file("/etc/app/one.conf", "one, generation \(generation)\n"),
            file("/etc/app/same.conf", "always the same\n", mode: generation == 1 ? "0644" : "0600"),
        ]
        var units = [
            NodeConfiguration.Unit(
                name: "containerd.service",
                dropIns: [.init(name: "10-a.conf", content: "[Service]\nEnvironment=A=\(generation)\n")],
                restartOn: ["/etc/containerd/config.toml"]
            ),
            NodeConfiguration.Unit(
                name: "app.service",
                content: "[Service]\nExecStart=/bin/app \(generation)\n",
                enabled: true,
                restartOn: ["/etc/app/one.conf", "/etc/app/two.conf"]
            ),
        ]
        let name = generation == 1 ? "old" : "new"
        units.append(.init(name: "\(name).service", content: "[Service]\nExecStart=/bin/\(name)\n", enabled: true))
        files.append(file("/opt/\(name)/data", "\(name)\n"))
        if generation > 1 {
            let image = NodeConfiguration.ImageFile(
                reference: "registry/tool@sha256:0",
                path: "/tool",
                sha256: Digest.hex(Array(tool.utf8))
            )
            files.append(.init(path: "/opt/tool/tool", mode: "0755", content: .init(image: image)))
        }
        if generation > 1 { files.append(file("/etc/app/two.conf", "two, generation 2\n")) }
        (spec.files, spec.units) = (files, units)
        let configuration = NodeConfiguration(pool: "worker", generation: generation, spec: spec)
        let host = HostFacts(nodeName: "n", hierarchy: .v1)
        return try DesiredNode(configuration, on: host, secrets: [:]) { Digest.hex($0) }
    }

    func bring(_ desired: DesiredNode) throws { try applier.carryOut(applier.plan(to: desired)) }

    /// What an agent does when it starts.
    func recover(_ desired: DesiredNode) throws {
        try applier.tidy()
        try bring(desired)
    }

    /// How many operations there are at which a change can be stopped.
    func operationsOfChange() throws -> Int {
        try bring(old)
        clock.restart()
        try bring(new)
        return clock.count
    }

    /// Every managed file is one of the contents that it ever had as a whole.
    func expectWholeFiles(_ place: String) throws {
        let paths = Set(old.files.keys).union(new.files.keys)
        for path in paths {
            let allowed = [originals[path], text(old, path), text(new, path)]
            #expect(
                allowed.contains { $0 == files.text(path) },
                "\(place): \(path) holds \(files.text(path) ?? "nothing")"
            )
        }
    }

    /// The machine is exactly as it is wanted, and nothing is left over.
    func expect(_ desired: DesiredNode, _ place: String) throws {
        let managed = Set(old.files.keys).union(new.files.keys)
        for path in managed {
            #expect(files.text(path) == text(desired, path) ?? originals[path], "\(place): \(path)")
        }
        for unit in desired.units {
            #expect(units.isCurrent(unit.name), "\(place): \(unit.name) runs with what was there before")
        }
        for name in ["app.service", "old.service", "new.service"]
        where !desired.units.contains(where: { $0.name == name }) {
            #expect(units.units[name]?.isActive != true, "\(place): \(name) still runs")
            #expect(units.units[name]?.isEnabled != true, "\(place): \(name) is still enabled")
        }
        #expect(units.units["containerd.service"]?.isActive == true, "\(place): the image's own unit was stopped")
        #expect(!files.names.keys.contains { $0.hasSuffix(".tendril-new") }, "\(place): a temporary file is left")
        let touched = Set(try applier.manifest().files.keys)
        #expect(touched == Set(desired.files.keys), "\(place): the manifest says \(touched.sorted())")
    }

    private func text(_ node: DesiredNode, _ path: String) -> String? {
        guard let file = node.files[path] else { return nil }
        return file.text ?? Self.tool
    }
}
