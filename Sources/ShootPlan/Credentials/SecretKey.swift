/// The keys of Secrets with credentials.
package enum SecretKey {
    package static let authority = "ca.crt"
    package static let authorityKey = "ca.key"
    package static let certificate = "tls.crt"
    package static let key = "tls.key"
    package static let kubeconfig = "kubeconfig"
    /// A key that signs something else than certificates.
    package static let signingKey = "private.pem"
    /// The public halves of all keys by which tokens of ServiceAccounts are believed.
    package static let tokenKeys = "public.pem"
    /// The EncryptionConfiguration of kube-apiserver.
    package static let encryption = "configuration.json"
}
