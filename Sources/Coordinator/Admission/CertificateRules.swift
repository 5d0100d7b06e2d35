package import ClusterModel
internal import TLSEngine
package import TendrilCore

/// Judges certificates that stand in a Shoot: `ShootRules` sees their form, and only who reads them can tell whether they are any.
package enum CertificateRules {
    /// What is wrong with those that somebody changes.
    ///
    /// - Parameters:
    ///   - spec: as it is wanted; judged by its form already.
    ///   - accepted: as it was accepted last; `nil` where it never was.
    /// - Returns: the problems, each with its field.
    package static func problems(_ spec: Shoot.Spec, since accepted: Shoot.Spec?) -> [ConfigurationProblem] {
        guard let text = spec.controlPlane.oidc?.certificateAuthority,
            text != accepted?.controlPlane.oidc?.certificateAuthority
        else { return [] }
        let path = "spec.controlPlane.oidc.certificateAuthority"
        let found = try? CertificateFacts.bundle(Array(text.utf8), path)
        return found?.isEmpty ?? true ? [ConfigurationProblem(path, "holds a certificate that cannot be read")] : []
    }
}
