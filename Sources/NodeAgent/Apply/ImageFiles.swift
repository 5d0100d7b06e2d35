internal import FoundationEssentials
internal import LinuxSystem
internal import Logging
package import NodePlan
internal import TLSEngine
internal import TendrilCore

/// Takes single files out of OCI images, by way of containerd's client.
///
/// Nothing is unpacked or mounted, and nobody is believed: the digest of what came out decides.
package struct ImageFiles: Sendable {
    /// Part of the containerd package.
    package static let client = "/usr/bin/ctr"
    /// containerd's namespace in which images are until their file is taken out.
    static let namespace = "tendril"
    private static let workspace = "\(AgentPaths.downloads)/image"

    private let context: AgentContext
    private let program: String

    /// Takes files out of images by `client`, which is containerd's.
    package init(_ context: AgentContext, client: String = Self.client) {
        (self.context, program) = (context, client)
    }

    /// Brings every file that a plan takes from an image to the download directory.
    func fetch(for plan: Plan) throws(AgentFailure) {
        for case .write(_, let file) in plan.steps {
            guard case .image(let image) = file.source else { continue }
            try fetch(image)
        }
    }

    /// A plan without the files of images that cannot be had; it fetches all others.
    func obtainable(of plan: Plan) -> Plan {
        var plan = plan
        plan.steps.removeAll { step in
            guard case .write(let path, let file) = step, case .image(let image) = file.source else { return false }
            do throws(AgentFailure) {
                try fetch(image)
                return false
            } catch {
                context.logger.warning("\(error.message)", metadata: ["instead": "what stands at \(path)"])
                return true
            }
        }
        return plan
    }

    /// Removes what was downloaded, and what a stop left in containerd.
    package func tidy() {
        removeLeft()
        FileTree.removeContents(of: AgentPaths.downloads)
    }

    /// Removes what a stop left in containerd; what was downloaded stays for what it is for.
    package func removeLeft() {
        do throws(AgentFailure) {
            try removePulled()
        } catch {
            context.logger.warning("an image stays in containerd", metadata: ["reason": "\(error)"])
        }
    }

    /// Brings one file to the download directory.
    ///
    /// - Throws: `AgentFailure`; whatever keeps it from that, the image does not stay.
    package func fetch(_ image: NodeConfiguration.ImageFile) throws(AgentFailure) {
        let target = AgentPaths.download(image.sha256)
        let doing = "take \(image.path) out of \(image.reference)"
        try attempt(doing) {
            if try context.files.digest(target) == image.sha256 { return }
            try context.files.makeDirectories(for: "\(Self.workspace)/layers/x")
            FileTree.removeContents(of: Self.workspace)
            try context.files.makeDirectories(for: "\(Self.workspace)/layers/x")
            defer { FileTree.removeContents(of: Self.workspace) }
            try pull(image.reference)
            guard let found = try extract(image) else {
                throw AgentFailure(.image, "\(doing): the image has no such file")
            }
            guard let digest = try context.files.digest(found), digest == image.sha256 else {
                throw AgentFailure(.image, "\(doing): the file's digest is not \(image.sha256)")
            }
            try context.files.replace(target, from: found, mode: 0o600)
        }
    }

    /// Pulls an image and leaves it as files, in the OCI image layout.
    private func pull(_ reference: String) throws(AgentFailure) {
        guard Program.exists(program) else { throw AgentFailure(.missingProgram, "\(program) is missing") }
        try removePulled()
        try attempt("note the image \(reference)") {
            try context.files.replace(AgentPaths.pulled, Array(reference.utf8), mode: 0o600)
        }
        // The kubelet, which makes room on a full disk, does not see this namespace; `tidy` tries again what fails here.
        defer { try? removePulled() }
        try ctr(["content", "fetch", "--hosts-dir", "/etc/containerd/certs.d", reference])
        let archive = "\(Self.workspace)/image.tar"
        try ctr(["images", "export", archive, reference])
        try run("/usr/bin/tar", ["-x", "-C", Self.workspace, "-f", archive])
    }

    /// Removes the image that was pulled last from containerd, if it may still be there.
    private func removePulled() throws(AgentFailure) {
        guard let name = try attempt("read which image was pulled", { try context.files.read(AgentPaths.pulled) })
        else { return }
        try ctr(["images", "remove", String(decoding: name, as: UTF8.self)], timeout: .seconds(30))
        try attempt("forget an image") { try context.files.remove(AgentPaths.pulled) }
    }

    /// Looks for the file in the layers, the uppermost first; where it then is.
    private func extract(_ image: NodeConfiguration.ImageFile) throws -> String? {
        let member = String(image.path.dropFirst())
        let layers = "\(Self.workspace)/layers"
        for layer in try layerDigests(of: image.reference).reversed() {
            // Archives differ in how they begin names.
            for name in [member, "./" + member] {
                let arguments = ["-x", "-C", layers, "--no-same-owner", "-f", blob(layer), "--", name]
                guard (try? run("/usr/bin/tar", arguments)) != nil else { continue }
                return "\(layers)/\(member)"
            }
        }
        return nil
    }

    private struct Descriptor: Decodable {
        struct Platform: Decodable {
            var architecture: String
            var os: String
        }
        var digest: String
        var platform: Platform?
    }

    /// An image index or an image manifest (OCI image specification).
    private struct Manifest: Decodable {
        var manifests: [Descriptor]?
        var layers: [Descriptor]?
    }

    private func layerDigests(of reference: String) throws -> [String] {
        var digest = String(reference.split(separator: "@").last ?? "")
        // An index may hold an index.
        for _ in 0..<4 {
            guard let bytes = try context.files.read(blob(digest), limit: 4 << 20) else { break }
            let manifest = try JSONDecoder().decode(Manifest.self, from: Data(bytes))
            if let layers = manifest.layers { return layers.map(\.digest) }
            let own = manifest.manifests?.first { descriptor in
                descriptor.platform.map { $0.os == "linux" && $0.architecture == Self.architecture } ?? true
            }
            guard let own else { break }
            digest = own.digest
        }
        throw AgentFailure(.image, "\(reference) holds no image for linux/\(Self.architecture)")
    }

    private func blob(_ digest: String) -> String {
        // Digests come from the image: whatever they hold, they name a file in this directory or none.
        let name = digest.hasPrefix("sha256:") ? digest.dropFirst("sha256:".count) : ""
        return "\(Self.workspace)/blobs/sha256/\(DigestText.isSHA256(name) ? String(name) : "none")"
    }

    private static var architecture: String {
        #if arch(arm64)
        "arm64"
        #else
        "amd64"
        #endif
    }

    private func ctr(_ arguments: [String], timeout: Nanoseconds = .seconds(600)) throws(AgentFailure) {
        try run(program, ["--namespace", Self.namespace] + arguments, timeout: timeout)
    }

    private func run(
        _ program: String,
        _ arguments: [String],
        timeout: Nanoseconds = .seconds(600)
    ) throws(AgentFailure) {
        var environment = ChildProcess.environment
        if let proxy = context.configuration.proxy {
            environment.append("HTTPS_PROXY=\(proxy.url)")
            environment.append("NO_PROXY=\((proxy.noProxy ?? []).joined(separator: ","))")
        }
        let outcome: ChildProcess.Outcome
        do {
            outcome = try ChildProcess.run(program, arguments, environment: environment, timeout: timeout)
        } catch {
            throw AgentFailure(.image, "\(error)")
        }
        guard outcome.isSuccess else {
            let reason = outcome.output.split(separator: "\n").last ?? "exit code \(outcome.code)"
            throw AgentFailure(.image, "\(program) \(arguments.last ?? ""): \(reason)")
        }
    }
}
