internal import ClusterModel
internal import LinuxSystem
internal import TLSEngine
internal import TendrilCore

/// The file of a key that signs configurations.
package enum SigningKeyFile {
    /// Makes a key in a new file.
    ///
    /// - Parameter path: where nothing is yet.
    /// - Returns: the public half in base64.
    /// - Throws: where the file exists or cannot be written.
    package static func make(at path: String) throws -> String {
        guard try DurableFile.occupant(of: path) == .nothing else {
            throw SettingsError(description: "--out: \(path) exists already")
        }
        let key = try SigningKey()
        let pem = try key.pem().copied
        try DurableFile.write(pem, to: path, mode: 0o600)
        return try key.verifyingKey().bytes.base64
    }
}
