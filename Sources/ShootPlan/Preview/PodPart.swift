import TendrilCore

/// A part of a cluster that runs as pods, as it is rendered.
struct PodPart {
    /// How pods of another template come.
    private enum Turn {
        /// A new one is ready before an old one ends.
        case ahead
        /// One node after the other.
        case nodewise
        /// The old ones end first.
        case anew
    }

    let name: String
    /// Another one makes new pods (Kubernetes documentation, "Deployments", "StatefulSets" and "DaemonSets").
    let template: JSONValue
    /// How many there are; `nil` for one on every node.
    let replicas: Int?
    private let turn: Turn

    /// Takes an object; `nil` where it keeps no pods.
    init?(_ object: JSONValue) {
        guard let kind = object["kind"]?.text, let name = object["metadata"]?["name"]?.text,
            let spec = object["spec"], let template = spec["template"]
        else { return nil }
        switch kind {
        case "Deployment":
            turn = spec["strategy"]?["rollingUpdate"]?["maxUnavailable"]?.number == 0 ? .ahead : .anew
        case "StatefulSet": turn = .anew
        case "DaemonSet": turn = .nodewise
        default: return nil
        }
        (self.name, self.template, replicas) = (name, template, spec["replicas"]?.number)
    }

    /// What another template comes to.
    var roll: String {
        let way =
            switch turn {
            case .ahead: "new pods come before old ones end"
            case .nodewise: "new pods come, one node after the other"
            case .anew: "old pods end before new ones come"
            }
        return loss.map { "\(way); \($0)" } ?? way
    }

    /// What that is to those who use it; `nil` for nothing.
    private var loss: String? {
        switch (name, turn) {
        case ("etcd", .anew), ("kube-apiserver", .anew): "the API is away for some seconds"
        case ("kube-apiserver", _): "the API stays, `exec` and `logs -f` end"
        case ("kube-proxy", _): "Services go on"
        case (_, .anew): "nobody does their work for some seconds"
        default: nil
        }
    }
}
