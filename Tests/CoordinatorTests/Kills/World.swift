import ClusterModel
import Coordinator
import FoundationEssentials
import HTTPModel
import NodePlan
import TendrilCore

/// A garden that is its own seed, the cluster of its one shoot, and everybody in both who is not the coordinator.
///
/// A value: a copy is what a coordinator finds that starts after another one was killed at that moment.
struct World: Sendable {
    /// The namespace of the control plane.
    static let home = "shoot--demo--one"
    private static let group = "tendril.dev/machine-group"
    private static let tokenType = "kubernetes.io/service-account-token"

    /// A machine, with what it was started with.
    private struct Machine {
        let pool: String
        let classText: JSONValue
        /// The id of the token with which it comes.
        let token: String
        var isNode = false
    }

    /// What is in the garden and in the seed.
    private(set) var seed = MemoryObjects { World.completed($0) }
    /// What is in the shoot's etcd.
    private(set) var shoot = MemoryObjects { World.completed($0) }
    /// What coordinators have done until now.
    private(set) var history = History()
    /// Where in garden and seed they have changed or told something.
    private(set) var touched: Set<String> = []
    private var machines: [String: Machine] = [:]
    private static let nodes = "/api/v1/nodes"
    /// How often the deletion of each Node was asked for, by its path.
    private(set) var nodeDeletions: [String: Int] = [:]
    /// What was in the shoot's etcd when a snapshot was made of it.
    private var saved: MemoryObjects?
    /// What was there before a snapshot took its place.
    private var former: MemoryObjects?
    /// A part of the paths in the seed that nobody may change, or else make.
    var forbidden: String?
    /// Whether who only wants to know is told so, too.
    var isForbiddenDryly = false
    /// Whether somebody removes the Job of a restoration as soon as it is there.
    var losesRestorations = false
    /// Whether somebody changes the Shoot just when the store is asked.
    var isInterrupted = false
    /// Whether nobody may remove a snapshot.
    var isStoreLocked = false
    /// How many tokens of ServiceAccounts were signed.
    private var tokens = 0
    /// Whether the owner's controllers take away what deleted objects have in a cloud, as long as there are machines.
    var hasControllers = true

    /// How many machines there ever were.
    private(set) var machinesMade = 0
    /// The machines that run.
    var running: [String] { machines.keys.sorted() }

    /// Where a project is in the garden.
    private static let project = "/namespaces/demo/"

    /// Whether a request is to the garden and not to the seed, which are one here; a running coordinator has heard of its Seed.
    static func isOfGarden(_ request: HTTPRequest) -> Bool {
        request.url.hasPrefix("https://api/") && request.url.contains(project)
    }

    /// The shoot's object, while it is there.
    var shootDocument: JSONValue? { seed[Self.shootPath] }
    static let shootPath = "/apis/tendril.dev/v1alpha1/namespaces/demo/shoots/one"

    /// Begins with a seed and nothing in it but this.
    init(_ documents: [String: JSONValue]) {
        for (path, document) in documents { seed[path] = document.merging(["metadata": ["resourceVersion": "0"]]) }
        // Somebody's own, which has to outlive everything but the shoot.
        shoot["/api/v1/namespaces/default/configmaps/precious"] = [
            "metadata": ["name": "precious", "namespace": "default"], "data": ["a": "b"],
        ]
        shoot["/api/v1/namespaces/default/secrets/robot-token"] = [
            "metadata": ["name": "robot-token", "namespace": "default"], "type": .string(Self.tokenType),
            "data": ["token": "MA=="],
        ]
    }

    /// Answers a request; what others do because of it is done at once.
    ///
    /// - Parameter request: to garden, seed or shoot.
    /// - Returns: the answer, and where something is other than before; `nil` where nothing is.
    /// - Throws: `TransferError` where nothing answers there.
    mutating func answer(_ request: HTTPRequest) throws(TransferError) -> (response: HTTPResponse, change: String?) {
        if Self.isOfStore(request) {
            let isRefused = isStoreLocked && request.method == .delete
            return (HTTPResponse(status: isRefused ? 403 : 200, body: Array(Self.listing.utf8)), nil)
        }
        let isOfShoot = !request.url.hasPrefix("https://api/")
        if isOfShoot, !isAwake { throw TransferError(.connect, url: request.url, reason: "nobody listens") }
        let parts = request.url.split(separator: "?", maxSplits: 1).map(String.init)
        let start = parts[0].dropFirst("https://".count).firstIndex(of: "/") ?? parts[0].endIndex
        let path = String(parts[0][start...])
        if path == "/readyz" || path.hasSuffix("/proxy/healthz") { return (HTTPResponse(status: 200), nil) }
        if path.hasSuffix("/events"), request.method == .post {
            touched.insert(path)
            return (HTTPResponse(status: 201, body: request.body), nil)
        }
        let isDry = parts.count > 1 && parts[1].contains("dryRun=All")
        if !isOfShoot, request.method == .patch, isForbidden(path), !isDry || isForbiddenDryly {
            return (HTTPResponse(status: 403), nil)
        }
        if isDry { return (HTTPResponse(status: 200, body: request.body), nil) }
        let query = parts.count > 1 && request.method == .get ? parts[1] : ""
        let body = JSONValue(bytes: request.body)
        let object = path.hasSuffix("/status") ? String(path.dropLast("/status".count)) : path
        let before = (isOfShoot ? shoot : seed)[object]
        let response =
            isOfShoot
            ? shoot.answer(request, path, query: query, body) : seed.answer(request, path, query: query, body)
        if isOfShoot, path.hasPrefix(Self.nodes) { release(request, path) }
        if isOfShoot, request.method == .get { tidyCloud() }
        guard request.method != .get, response.status < 300 else { return (response, nil) }
        // What is made is told its name by the answer.
        let made = request.method == .post ? JSONValue(bytes: response.body)["metadata"]?["name"]?.text : nil
        let place = made.map { "\(object)/\($0)" } ?? object
        let isChange = history.note(place, before, (isOfShoot ? shoot : seed)[place])
        if isChange, !isOfShoot { touched.insert(place) }
        if isChange { react(place) }
        return (response, isChange ? place : nil)
    }

    /// Somebody changes the Shoot.
    mutating func change(_ change: JSONValue) {
        let request = HTTPRequest(.patch, "", headers: [("Content-Type", "application/merge-patch+json")])
        _ = seed.answer(request, Self.shootPath, query: "", change)
    }

    /// Somebody pauses it, or ends that.
    mutating func pause(_ isPaused: Bool) {
        change(["metadata": ["annotations": [ShootAnnotation.pause: isPaused ? "true" : .null]]])
    }

    private static let store = "https://store.example"
    /// Whether a request is to the store of snapshots.
    static func isOfStore(_ request: HTTPRequest) -> Bool { request.url.hasPrefix(store) }
    /// A snapshot that is older than another one, and cannot be restored.
    static let broken = "20250101T000000Z"
    private static let listing = """
        <ListBucketResult><IsTruncated>false</IsTruncated>\
        <Contents><Key>\(home)/u1/\(broken).snapshot</Key><Size>20000</Size></Contents>\
        <Contents><Key>\(home)/u1/20260101T000000Z.snapshot</Key><Size>20000</Size></Contents></ListBucketResult>
        """
    /// What a Seed says of it.
    static let snapshots: JSONValue = [
        "intervalMinutes": 60, "keep": 2, "endpoint": .string(store), "region": "here", "bucket": "bucket",
        "secretName": "snapshots",
    ]

    /// A snapshot is made of the shoot's etcd.
    mutating func save() { saved = shoot }

    /// The pods of a Job put the snapshot in place, where nobody works with etcd's volume.
    private mutating func restore(_ path: String) {
        let replicas = seed["/apis/apps/v1/namespaces/\(Self.home)/statefulsets/etcd"]?["spec"]?["replicas"]
        guard path.contains("/jobs/etcd-restore-"), let job = seed[path], replicas == 0, !Self.isBroken(job) else {
            return
        }
        let text = try? CanonicalJSON.text(job)
        guard let next = text?.contains("\"back\"") == true ? former : saved else { return }
        (former, shoot) = (shoot, next)
    }

    private func isForbidden(_ path: String) -> Bool { forbidden.map { path.contains($0) } ?? false }

    private static func isBroken(_ job: JSONValue) -> Bool {
        (try? CanonicalJSON.text(job))?.contains("\(broken).snapshot") ?? false
    }

    /// Somebody with rights in the seed puts a document where he likes.
    mutating func put(_ document: JSONValue, inSeed path: String) { seed[path] = document }

    /// Somebody with rights in the seed takes a document away.
    mutating func remove(inSeed path: String) { seed[path] = nil }

    /// What a coordinator remembers.
    private static let notebook = "/api/v1/namespaces/\(home)/configmaps/tendril-flow"

    /// What a coordinator remembers under a key.
    func remembered(_ entry: String) -> JSONValue {
        JSONValue(bytes: Array((seed[Self.notebook]?["data"]?[entry]?.text ?? "").utf8))
    }

    /// Somebody changes what a coordinator remembers under a key (RFC 7396).
    mutating func remember(_ entry: String, _ change: JSONValue) throws {
        let text = try CanonicalJSON.text(MemoryObjects.patched(remembered(entry), change))
        seed[Self.notebook] = seed[Self.notebook]?.merging(["data": .object([entry: .string(text)])])
    }

    /// The owner of the shoot puts a document where he likes.
    mutating func put(_ document: JSONValue, inShoot path: String) { shoot[path] = document }

    /// The owner of the shoot takes a document away.
    mutating func remove(inShoot path: String) { shoot[path] = nil }

    /// Somebody deletes it.
    mutating func delete() {
        change(["metadata": ["annotations": [ShootAnnotation.confirmation: "true"]]])
        _ = seed.answer(HTTPRequest(.delete, ""), Self.shootPath, query: "", .null)
    }

    /// Somebody has a finalizer on a Node, which goes once Nodes were asked for twice after it was deleted.
    mutating func holdNode() {
        guard let path = shoot.documents.keys.filter({ $0.hasPrefix(Self.nodes) }).min() else { return }
        shoot[path] = shoot[path]?.merging(["metadata": ["finalizers": ["example.com/hold"]]])
    }

    private mutating func release(_ request: HTTPRequest, _ path: String) {
        if request.method == .delete { nodeDeletions[path, default: 0] += 1 }
        guard request.method == .get else { return }
        for (path, node) in shoot.documents where path.hasPrefix(Self.nodes) {
            guard node["metadata"]?["deletionTimestamp"] != nil else { continue }
            shoot[path] = node["seen"] == nil ? node.merging(["seen": true]) : nil
        }
    }

    private static let shop = "/api/v1/namespaces/shop"
    private static let (balanced, claim) = ("\(shop)/services/web", "\(shop)/persistentvolumeclaims/data")
    private static let (user, volume) = ("\(shop)/pods/db-0", "/api/v1/persistentvolumes/pv-1")

    /// The owner has a load balancer, and a volume that a pod uses.
    mutating func addCloudObjects() {
        func metadata(_ name: String, _ finalizers: JSONValue) -> JSONValue {
            ["name": .string(name), "namespace": "shop", "finalizers": finalizers]
        }
        shoot[Self.balanced] = [
            "metadata": metadata("web", ["service.kubernetes.io/load-balancer-cleanup"]),
            "spec": ["type": "LoadBalancer"],
        ]
        shoot[Self.claim] = [
            "metadata": metadata("data", ["kubernetes.io/pvc-protection"]), "spec": ["volumeName": "pv-1"],
        ]
        let volumes: JSONValue = [["name": "data", "persistentVolumeClaim": ["claimName": "data"]]]
        shoot[Self.user] = ["metadata": metadata("db-0", []), "spec": ["volumes": volumes]]
        shoot[Self.volume] = [
            "metadata": ["name": "pv-1"],
            "spec": [
                "persistentVolumeReclaimPolicy": "Delete", "claimRef": ["namespace": "shop", "name": "data"],
                "csi": ["volumeHandle": "vol-1"],
            ],
        ]
    }

    /// What the shoot has in a cloud.
    var cloud: [String] { [Self.balanced, Self.claim, Self.volume].filter { shoot[$0] != nil } }

    private mutating func tidyCloud() {
        guard hasControllers, !machines.isEmpty else { return }
        func isGoing(_ path: String) -> Bool { shoot[path]?["metadata"]?["deletionTimestamp"] != nil }
        if isGoing(Self.balanced) { shoot[Self.balanced] = nil }
        if isGoing(Self.claim), shoot[Self.user] == nil { (shoot[Self.claim], shoot[Self.volume]) = (nil, nil) }
    }

    /// Whatever a coordinator has done does not count from here on.
    mutating func forgetHistory() { history = History(credentials: history.credentials) }

    // MARK: - The others

    /// Defaults, and controllers whose work is done at once.
    private static func completed(_ object: JSONValue) -> JSONValue {
        let generation = object["metadata"]?["generation"] ?? 1
        switch object["kind"]?.text {
        case "Service": return object.merging(["spec": address(of: object)])
        case "Deployment", "StatefulSet":
            let count = object["spec"]?["replicas"] ?? 1
            let status: JSONValue = [
                "observedGeneration": generation, "replicas": count, "updatedReplicas": count, "readyReplicas": count,
            ]
            return object.merging(["status": status])
        case "DaemonSet":
            let status: JSONValue = [
                "observedGeneration": generation, "desiredNumberScheduled": 1, "updatedNumberScheduled": 1,
                "numberReady": 1,
            ]
            return object.merging(["status": status])
        case "Job":
            let end: JSONValue = isBroken(object) ? "Failed" : "Complete"
            return object.merging(["status": ["conditions": [["type": end, "status": "True"]]]])
        default: return object
        }
    }

    private static func address(of service: JSONValue) -> JSONValue {
        let number = (service["metadata"]?["name"]?.text ?? "").utf8.reduce(0) { ($0 + Int($1)) % 200 }
        let ports = service["spec"]?["ports"]?.items ?? []
        return [
            "clusterIP": .string("10.97.0.\(number + 1)"),
            "ports": .array(ports.map { $0.merging(["nodePort": .integer(30000 + number)]) }),
        ]
    }

    /// Whether the shoot's API server answers.
    private var isAwake: Bool {
        func isThere(_ workload: String) -> Bool {
            let replicas = seed["/apis/apps/v1/namespaces/\(Self.home)/\(workload)"]?["spec"]?["replicas"]
            return replicas.map { $0 != 0 } ?? false
        }
        return isThere("deployments/kube-apiserver") && isThere("statefulsets/etcd")
    }

    private mutating func react(_ path: String) {
        if path == "/api/v1/namespaces/\(Self.home)", seed[path] == nil { seed.removeNamespace(Self.home) }
        if path.contains("/machines-") { host() }
        if losesRestorations, path.contains("/jobs/etcd-restore-") { seed[path] = nil }
        restore(path)
        if let secret = shoot[path], secret["type"]?.text == Self.tokenType, secret["data"]?["token"] == nil {
            tokens += 1
            shoot[path] = secret.merging([
                "data": ["token": .string(Data("signed \(tokens)".utf8).base64EncodedString())]
            ])
        }
        guard isAwake else { return }
        if join() || path.contains("/tendril-node-") { follow() }
    }

    /// The program on the host, which makes and ends machines.
    private mutating func host() {
        var all: Set<String> = []
        for (path, group) in seed.documents where path.contains("/machines-") && group["type"]?.text == Self.group {
            let notes = group["metadata"]?["annotations"]
            var names = (notes?[LocalProvider.present]?.text ?? "").split(separator: ",").map(String.init)
            names.removeAll { $0 == notes?[LocalProvider.leaving]?.text }
            let wanted = notes?[LocalProvider.desired]?.text.flatMap { Int($0) } ?? 0
            names.removeLast(max(names.count - wanted, 0))
            while names.count < wanted { names.append(start(group)) }
            all.formUnion(names)
            let text = JSONValue.string(names.joined(separator: ","))
            seed[path] = group.merging(["metadata": ["annotations": [LocalProvider.present: text]]])
        }
        machines = machines.filter { all.contains($0.key) }
    }

    private mutating func start(_ group: JSONValue) -> String {
        machinesMade += 1
        let name = "m\(machinesMade)"
        let pool = group["metadata"]?["name"]?.text?.dropFirst("machines-".count) ?? ""
        let data = group["data"]?["user-data"]?.text.flatMap { Data(base64Encoded: $0) } ?? Data()
        let document = JSONValue(bytes: Array(data.drop { $0 != 0x0A }))
        func file(_ path: String) -> String {
            document["write_files"]?.items.first { $0["path"]?.text == path }?["content"]?.text ?? ""
        }
        machines[name] = Machine(
            pool: String(pool),
            classText: JSONValue(bytes: Array(file(AgentConfiguration.path).utf8))["machineClass"] ?? .null,
            token: file(AgentConfiguration.tokenPath).split(separator: ".").first.map(String.init) ?? ""
        )
        return name
    }

    /// Machines whose token is known become Nodes; whether one has.
    private mutating func join() -> Bool {
        var hasJoined = false
        for (name, machine) in machines where !machine.isNode {
            let token = BootstrapToken.secretName(id: machine.token)
            guard shoot["/api/v1/namespaces/kube-system/secrets/\(token)"] != nil else { continue }
            machines[name]?.isNode = true
            hasJoined = true
            shoot["/api/v1/nodes/\(name)"] = [
                "apiVersion": "v1", "kind": "Node",
                "metadata": [
                    "name": .string(name), "labels": [TokenGrant.poolLabel: .string(machine.pool)],
                    "annotations": [TendrilAPI.classAnnotation: machine.classText],
                ],
                "status": ["conditions": [["type": "Ready", "status": "True"]]],
            ]
            shoot[NodeBootstrap.resource.path(namespace: nil, name: name)] = [
                "metadata": ["name": .string(name)], "spec": ["pool": .string(machine.pool)],
                "status": ["phase": "done"],
            ]
        }
        return hasJoined
    }

    /// Agents take what their pools' pointers lead to.
    private mutating func follow() {
        let secrets = "/api/v1/namespaces/kube-system"
        for (name, machine) in machines {
            let path = "/api/v1/nodes/\(name)"
            let pointer = shoot["\(secrets)/configmaps/\(TendrilAPI.pointer(pool: machine.pool))"]
            guard let node = shoot[path], let secret = pointer?["data"]?[TendrilAPI.pointerKey]?.text,
                let text = shoot["\(secrets)/secrets/\(secret)"]?["data"]?[TendrilAPI.documentKey]?.text,
                case let document = JSONValue(bytes: Array(Data(base64Encoded: text) ?? Data())),
                case .integer(let generation)? = document["metadata"]?["generation"]
            else { continue }
            let note: JSONValue = [TendrilAPI.generationAnnotation: .string("\(generation)")]
            shoot[path] = node.merging(["metadata": ["annotations": note]])
        }
    }
}
