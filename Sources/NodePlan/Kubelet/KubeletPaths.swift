/// Where the kubelet's files are.
package enum KubeletPaths {
    package static let unit = "kubelet.service"
    package static let configuration = "/var/lib/kubelet/config.yaml"
    package static let kubeconfig = "/var/lib/kubelet/kubeconfig"
    /// Leads to the agent's own identity, with which the kubelet asks for its first certificate.
    package static let bootstrapKubeconfig = "/var/lib/kubelet/bootstrap-kubeconfig"
    package static let certificates = "/var/lib/kubelet/pki"
    package static let clientCertificate = "/var/lib/kubelet/pki/kubelet-client-current.pem"
    package static let servingCertificate = "/var/lib/kubelet/pki/kubelet-server-current.pem"
    /// The CA bundle of the cluster, written by the agent.
    package static let authority = "/etc/kubernetes/pki/ca.crt"
}
