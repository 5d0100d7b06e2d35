import ClusterModel
import TendrilCore

/// Judges what an owner says of his API server and of the controllers beside it.
enum ControlPlaneRules {
    /// Everything that is wrong with it, each with its field.
    static func problems(_ spec: Shoot.Spec) -> [ConfigurationProblem] {
        let (path, plane) = ("spec.controlPlane", spec.controlPlane)
        return FeatureGates.problems((plane.featureGates ?? [:]).keys, at: "\(path).featureGates")
            + AdmissionPlugins.problems(plane.admissionPlugins, at: "\(path).admissionPlugins")
            + IdentityRules.problems(spec, at: "\(path).oidc")
    }
}
