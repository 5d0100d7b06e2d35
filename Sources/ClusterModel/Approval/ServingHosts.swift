/// Which hosts a kubelet's serving certificate may name: kubelets write their Nodes' hosts themselves.
enum ServingHosts {
    /// Whether a host is a machine's own: its name, or below it.
    ///
    /// - Parameters:
    ///   - host: as it was asked for.
    ///   - machine: the name of its Node.
    ///   - others: the names of the other Nodes.
    /// - Returns: `false` also for names that services have, whatever a machine is called.
    static func isOwn(_ host: String, of machine: String, beside others: Set<String>) -> Bool {
        guard NodeName.isValid(host), isWithin(host, machine), !isOfService(host) else { return false }
        // What is below the names of two machines belongs to the longer one.
        return !others.contains { $0 != machine && isWithin($0, machine) && isWithin(host, $0) }
    }

    private static func isWithin(_ host: String, _ name: String) -> Bool { host == name || host.hasPrefix(name + ".") }

    /// Whether clients in a cluster may find something else by a name (Kubernetes documentation, "DNS for Services and
    /// Pods").
    private static func isOfService(_ host: String) -> Bool {
        let labels = host.split(separator: ".")
        return labels.first == "kubernetes" || labels.last == "localhost" || labels.contains("svc")
    }
}
