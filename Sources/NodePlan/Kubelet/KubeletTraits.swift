/// What differs between the releases of Kubernetes for a kubelet, each with its source.
///
/// Nothing else asks for a version.
package struct KubeletTraits: Hashable, Sendable {
    /// `--container-runtime=remote` had to be said while dockershim was there.
    ///
    /// The flag is gone in 1.27 (CHANGELOG-1.27, "Removed the --container-runtime kubelet flag"); dockershim went in
    /// 1.24 (CHANGELOG-1.24).
    package let needsRemoteRuntimeFlag: Bool
    /// `--network-plugin=cni` belongs to dockershim and went with it in 1.24 (CHANGELOG-1.24).
    package let needsNetworkPluginFlag: Bool
    /// The runtime's endpoint is a field of the configuration from 1.27 on (CHANGELOG-1.27,
    /// "containerRuntimeEndpoint"), a flag before.
    package let hasRuntimeEndpointField: Bool
    /// Taints are a field of the configuration, registerWithTaints, from 1.23 on (CHANGELOG-1.23), a flag before.
    package let hasTaintsField: Bool
    /// The kubelet asks the runtime for the cgroup driver from 1.28 on with KubeletCgroupDriverFromCRI (KEP-4033); it
    /// still has to be said for runtimes that do not tell.
    package let cgroupDriver: String
    /// Hosts with cgroup v1 have to be allowed from 1.35 on (KEP-5573: failCgroupV1 is true by default); the field is
    /// there from 1.31 on (KEP-4569).
    package let allowsCgroupV1Explicitly: Bool
    /// Whether the release runs on this hierarchy at all: v2 is generally available from 1.25 on (KEP-2254) and works
    /// from 1.22 on, where the memory controller's files are read right (CHANGELOG-1.22).
    package let supportsHierarchy: Bool

    package init(_ version: KubernetesVersion, on hierarchy: CgroupHierarchy) {
        needsRemoteRuntimeFlag = version.minor < 24
        needsNetworkPluginFlag = version.minor < 24
        hasRuntimeEndpointField = version.minor >= 27
        hasTaintsField = version.minor >= 23
        cgroupDriver = "systemd"
        allowsCgroupV1Explicitly = hierarchy == .v1 && version.minor >= 31
        supportsHierarchy = hierarchy == .v1 || version.minor >= 22
    }
}
