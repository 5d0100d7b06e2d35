import ClusterModel
import NodePlan
import ShootPlan
import ShootSamples
import TendrilCore
import TestSupport
import Testing

@Suite("Snapshots of etcd")
struct SnapshotTests {
    private static let folder = "tendril/shoot--demo--one/u1/"

    private func snapshot(_ name: String, size: Int = 1) throws -> StoredSnapshot {
        let key = "\(Self.folder)\(name).snapshot"
        return try #require(StoredSnapshot(key: key, size: size, in: Self.folder))
    }

    private func facts(minor: Int = 33, seed: Int = 33, _ change: (inout Seed.Snapshots) -> Void = { _ in }) throws
        -> ClusterFacts
    {
        var spec = try Samples.seed
        var snapshots = Samples.snapshots
        change(&snapshots)
        spec.snapshots = snapshots
        let images = ImageSource(kubernetes: "registry.k8s.io", tendril: "ghcr.io/tendril")
        let shoot = try Samples.shoot { $0.spec.kubernetes.version = "1.\(minor).0" }
        let version = KubernetesVersion(minor: seed)
        return try #require(ClusterFacts(shoot, images: images, seed: spec, seedVersion: version))
    }

    @Test("are called by their time, in names that need no encoding and stand in their order")
    func names() throws {
        let name = SnapshotPlan.name(at: 1_796_000_000)
        #expect(name.wholeMatch(of: /\d{8}T\d{6}Z/) != nil)
        #expect(SnapshotPlan.time(of: name) == 1_796_000_000)
        for time in [0, 59, 86_399, 951_782_400, 4_102_444_799] as [UInt64] {
            #expect(SnapshotPlan.time(of: SnapshotPlan.name(at: time)) == time)
        }
        #expect(SnapshotPlan.name(at: 999_999_999) < SnapshotPlan.name(at: 1_000_000_000))
        for text in [
            "", "20261129T130640", "20261329T130640Z", "20261129t130640Z", "2026112/T130640Z", "20261129T130640ZZ",
            "äöüäöüäö", "20260230T000000Z",
        ] {
            #expect(SnapshotPlan.time(of: text) == nil, "\(text)")
        }
    }

    @Test("lie in a folder that no other shoot has, whatever UID is claimed")
    func folders() {
        func folder(_ uid: String?) -> String? {
            SnapshotPlan.folder(Samples.snapshots, id: "shoot--demo--one", uid: uid)
        }
        #expect(folder("u1") == Self.folder)
        for uid in [nil, "", "..", "a/b", "a b", "a%2F", String(repeating: "a", count: 65)] {
            #expect(folder(uid) == nil, "\(uid ?? "none")")
        }
    }

    @Test("are what the store says of them; other objects are none")
    func foreign() {
        for key in [
            "", "x", Self.folder, "\(Self.folder)20260101T000000Z", "other/20260101T000000Z.snapshot",
            "\(Self.folder)../20260101T000000Z.snapshot", "\(Self.folder)x/20260101T000000Z.snapshot",
            ".snapshot", String(Self.folder.dropLast(2)) + ".snapshot",
        ] {
            #expect(StoredSnapshot(key: key, size: 1, in: Self.folder) == nil, "\(key)")
        }
        #expect(StoredSnapshot(key: "\(Self.folder)20260101T000000Z.snapshot", size: -1, in: Self.folder) == nil)
    }

    @Test("go when there are too many, the oldest first, and the newest never")
    func surplus() throws {
        let names = ["20260101T000000Z", "20260103T000000Z", "20260102T000000Z"]
        let all = try names.map { try snapshot($0) }
        func gone(_ keep: Int) -> [String] { SnapshotPlan.surplus(all, keep: keep, at: 1_800_000_000).map(\.name) }
        #expect(gone(3) == [] && gone(1000) == [])
        #expect(gone(2) == ["20260101T000000Z"])
        for keep in [1, 0, -1, Int.min] { #expect(gone(keep) == ["20260101T000000Z", "20260102T000000Z"]) }
        #expect(SnapshotPlan.surplus([], keep: 1, at: 0) == [])
    }

    @Test("stay beyond their number where they are the last of one of the last seven days, or ahead of their time")
    func kept() throws {
        let names = [
            "20260101T230000Z", "20260102T050000Z", "20260102T230000Z", "20260107T010000Z", "20260108T010000Z",
            "20260108T020000Z", "20260108T030000Z", "20260109T000000Z",
        ]
        let all = try names.map { try snapshot($0) }
        let now = try #require(SnapshotPlan.time(of: "20260108T033000Z"))
        let gone = SnapshotPlan.surplus(all, keep: 2, at: now).map(\.name)
        #expect(gone == ["20260101T230000Z", "20260102T050000Z", "20260108T010000Z"])
        // The newest of those that can be.
        #expect(!SnapshotPlan.surplus(all, keep: 1, at: now).map(\.name).contains("20260108T030000Z"))
        #expect(SnapshotPlan.isAhead(3601, of: 0) && !SnapshotPlan.isAhead(3600, of: 0))
        #expect(!SnapshotPlan.isAhead(0, of: .max))
    }

    @Test("are made at times that differ between shoots, as a CronJob says them", arguments: SnapshotPlan.intervals)
    func schedule(_ minutes: Int) throws {
        var seen: Set<String> = []
        for number in 0..<200 {
            let text = SnapshotPlan.schedule(every: minutes, of: "shoot--demo--s\(number)")
            seen.insert(text)
            let match = try #require(
                text.wholeMatch(of: /(\d+)(?:-59\/(\d+))? (?:\*|(\d+)-23\/(\d+)) \* \* \*/),
                "\(text)"
            )
            let minute = try #require(Int(match.1))
            if minutes <= 60 {
                let step = match.2.flatMap { Int($0) } ?? 60
                #expect(minute < minutes && step == minutes && match.4 == nil)
            } else {
                let hour = match.3.flatMap { Int($0) } ?? .max
                #expect(minute < 60 && hour < minutes / 60 && match.4.flatMap { Int($0) } == minutes / 60)
            }
        }
        #expect(seen.count > min(minutes, 200) / 2)
        let one = SnapshotPlan.schedule(every: minutes, of: "shoot--demo--one")
        #expect(one == SnapshotPlan.schedule(every: minutes, of: "shoot--demo--one"))
    }

    @Test("are missed after three intervals, counted from the newest, or from when they were first to be made")
    func overdue() {
        func isOverdue(_ times: [UInt64], at now: UInt64) -> Bool {
            SnapshotPlan.isOverdue(since: times, every: 60, at: now)
        }
        #expect(!isOverdue([1000], at: 1000 + 10800) && isOverdue([1000], at: 1001 + 10800))
        #expect(!isOverdue([5000, 1000], at: 5000 + 10800) && isOverdue([1000, 5000], at: 5001 + 10800))
        #expect(!isOverdue([0], at: 0) && !isOverdue([.max, 0], at: .max) && !isOverdue([.max], at: 5))
        // A clock was once a month ahead.
        #expect(isOverdue([2_600_000, 5000, 1000], at: 5001 + 10800))
        #expect(!isOverdue([2_600_000, 5000], at: 5000 + 10800))
    }

    // MARK: - What a store answers

    private static let page = """
        <?xml version="1.0" encoding="UTF-8"?>
        <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>snapshots</Name><Prefix>a&amp;b</Prefix>
        <IsTruncated>true</IsTruncated><NextContinuationToken>a/b+c==</NextContinuationToken>
        <Contents><Key>a&lt;b&amp;c</Key><LastModified>2026-01-01T00:00:00Z</LastModified><ETag>&quot;x&quot;</ETag>
        <Size>12</Size><Owner><ID>x</ID></Owner><StorageClass/></Contents>
        <Contents><Size>0</Size><Key>second</Key></Contents>
        </ListBucketResult>
        """

    @Test("are read from a listing, page by page")
    func listing() throws {
        let listing = try #require(SnapshotListing(Array(Self.page.utf8)))
        #expect(listing.items.map(\.key) == ["a<b&c", "second"] && listing.items.map(\.size) == [12, 0])
        #expect(listing.token == "a/b+c==")
        let last = try #require(
            SnapshotListing(Array("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>".utf8))
        )
        #expect(last.items.isEmpty && last.token == nil)
    }

    /// As stores write it that Go's encoder serves, MinIO among them.
    private static let numbered = """
        <?xml version="1.0" encoding="UTF-8"?>
        <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>snapshots</Name><Prefix>a/</Prefix>\
        <KeyCount>1</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated><Contents><Key>a/b&#39;s&#x9;&#xe4;</Key>\
        <LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&#34;d41d8cd98f00b204e9800998ecf8427e-2&#34;</ETag>\
        <Size>12</Size><StorageClass>STANDARD</StorageClass></Contents></ListBucketResult>
        """

    @Test("are read from a listing whose characters are given by their numbers")
    func numberedCharacters() throws {
        let listing = try #require(SnapshotListing(Array(Self.numbered.utf8)))
        #expect(listing.items.map(\.key) == ["a/b's\tä"] && listing.items.map(\.size) == [12] && listing.token == nil)
    }

    @Test(
        "are not read from anything else",
        arguments: [
            "", "x", "<", "<a", "<a>", "</ListBucketResult>", "<ListBucketResult>", "<Error><Code>x</Code></Error>",
            "<ListBucketResult></ListBucketResult><ListBucketResult></ListBucketResult>",
            "<ListBucketResult><Contents></ListBucketResult></Contents>",
            "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>",
            "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>",
            "<ListBucketResult><Contents><Key>a</Key><Size>99999999999999999999</Size></Contents></ListBucketResult>",
            "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
            "<!DOCTYPE a [<!ENTITY x \"y\">]><ListBucketResult></ListBucketResult>",
            "<ListBucketResult>&x;</ListBucketResult>", "<ListBucketResult>&#;</ListBucketResult>",
            "<ListBucketResult>&#x;</ListBucketResult>", "<ListBucketResult>&#0;</ListBucketResult>",
            "<ListBucketResult>&#xD800;</ListBucketResult>", "<ListBucketResult>&#x110000;</ListBucketResult>",
            "<ListBucketResult>&#+34;</ListBucketResult>", "<ListBucketResult>&#-34;</ListBucketResult>",
            "<ListBucketResult>&#3 4;</ListBucketResult>", "<ListBucketResult>&#X22;</ListBucketResult>",
            "<ListBucketResult>&#00000000000034;</ListBucketResult>", "<ListBucketResult>&#34</ListBucketResult>",
            "<ListBucketResult><![CDATA[x]]></ListBucketResult>", "<ListBucketResult><!-- x --></ListBucketResult>",
            "<ListBucketResult><?x?></ListBucketResult>",
            "<ListBucketResult><a><a><a><a><a><a><a><a></a></a></a></a></a></a></a></a></ListBucketResult>",
        ]
    )
    func noListing(_ text: String) { #expect(SnapshotListing(Array(text.utf8)) == nil) }

    @Test("never trap whatever a store answers")
    func hostileListings() {
        var random = SeededGenerator(seed: 20_261_129)
        let pages = [Self.page, Self.numbered].map { Array($0.utf8) }
        let marks = Array("<>/&;?!#x ".utf8) + [0, 0xFF, 0xC3]
        for round in 0..<20_000 {
            var bytes = pages[round % 2]
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[place] = marks[Int.random(in: 0..<marks.count, using: &random)]
                case 1: bytes.removeSubrange(place..<min(place + Int.random(in: 1...40, using: &random), bytes.count))
                default: bytes.insert(contentsOf: bytes[place..<min(place + 20, bytes.count)], at: place)
                }
                if bytes.isEmpty { bytes = [0x3C] }
            }
            let items = SnapshotListing(bytes)?.items ?? []
            #expect(items.allSatisfy { $0.size >= 0 })
        }
        #expect(SnapshotListing([UInt8](repeating: 0x20, count: SnapshotListing.limit + 1)) == nil)
    }

    // MARK: - Pods

    private func pod(_ object: JSONValue) throws -> JSONValue {
        let job = object["spec"]?["jobTemplate"]?["spec"] ?? object["spec"]
        return try #require(job?["template"]?["spec"])
    }

    private func containers(_ object: JSONValue) throws -> [JSONValue] {
        let pod = try pod(object)
        return (pod["initContainers"]?.items ?? []) + (pod["containers"]?.items ?? [])
    }

    private func jobs(_ facts: ClusterFacts) throws -> (maker: JSONValue, restorer: JSONValue) {
        let settings = try #require(facts.seed.snapshots)
        let restoration = Restoration(try snapshot("20260101T000000Z", size: 77), at: 1_800_000_000)
        return (
            SnapshotJobs.cronJob(facts, settings, Samples.addresses, keys: Self.folder),
            SnapshotJobs.restore(facts, settings, restoration, keys: Self.folder)
        )
    }

    @Test("are made by pods without a privilege, an account or more than their place", arguments: [20, 36])
    func confined(_ minor: Int) throws {
        let (maker, restorer) = try jobs(try facts(minor: minor, seed: minor))
        for object in [maker, restorer] {
            let pod = try pod(object)
            #expect(pod["automountServiceAccountToken"] == false && pod["restartPolicy"] == "Never")
            #expect(pod["securityContext"]?["runAsUser"] == 65532)
            // What has failed, or was replaced, is not to go on for long.
            #expect(pod["terminationGracePeriodSeconds"] == 1)
            let space = pod["volumes"]?.items.first { $0["name"] == "snapshot" }
            #expect(space?["emptyDir"]?["sizeLimit"]?.text == (object == maker ? "9Gi" : "18Gi"))
            for container in try containers(object) {
                let security = container["securityContext"]
                #expect(security?["allowPrivilegeEscalation"] == false && security?["runAsNonRoot"] == true)
                #expect(security?["capabilities"]?["drop"] == ["ALL"] && security?["readOnlyRootFilesystem"] == true)
                // The access key is for our own program alone.
                let mounts = (container["volumeMounts"]?.items ?? []).compactMap { $0["name"]?.text }
                let isOwn = container["image"]?.text?.hasPrefix("ghcr.io/tendril/tendril-coordinator:") == true
                #expect(isOwn || !mounts.contains(SnapshotJobs.secret))
                #expect(!isOwn || !mounts.contains("etcd-snapshots"))
                // Only what comes last touches what etcd has.
                #expect(mounts.contains("data") == (container["name"] == "replace"))
            }
        }
        #expect(maker["apiVersion"]?.text == (minor < 21 ? "batch/v1beta1" : "batch/v1"))
        let spec = maker["spec"]
        #expect(spec?["concurrencyPolicy"] == "Forbid" && spec?["suspend"] == false)
        #expect(spec?["jobTemplate"]?["spec"]?["activeDeadlineSeconds"] == 3600)
    }

    @Test("are not made while the shoot sleeps")
    func asleep() throws {
        #expect(try jobs(try facts().atRest).maker["spec"]?["suspend"] == true)
    }

    @Test("leave only by the store's port and to names, and nobody leaves where there is no store")
    func policy() throws {
        let policy = SnapshotJobs.policy(try facts())
        let ports = policy["spec"]?["egress"]?.items.first?["ports"]?.items ?? []
        #expect(ports.compactMap { $0["port"]?.number } == [53, 53, 9000])
        #expect(policy["spec"]?["policyTypes"] == ["Egress"] && policy["spec"]?["egress"]?.items.count == 1)
        let names = policy["spec"]?["podSelector"]?["matchExpressions"]?.items.first?["values"]
        #expect(names == ["etcd-snapshot", "etcd-restore"])
        let none = SnapshotJobs.policy(try #require(try Samples.facts()))
        #expect(none["spec"]?["egress"] == [])
    }

    @Test(
        "are restored by the program of etcd's image, beyond all revisions where it can do that",
        arguments: [(20, "etcdctl", false), (22, "etcdctl", true), (33, "etcdctl", true), (34, "etcdutl", true)]
    )
    func restored(_ minor: Int, _ program: String, _ isAhead: Bool) throws {
        let facts = try facts(minor: minor)
        let restorer = try jobs(facts).restorer
        let steps = try containers(restorer)
        #expect(steps.compactMap { $0["name"]?.text } == ["download", "make", "replace"])
        let command = (steps[1]["command"]?.items ?? []).compactMap(\.text)
        #expect(command.first == program && command.contains("--data-dir=/snapshot/data.made"))
        #expect(command.contains("--mark-compacted") == isAhead)
        #expect(command.contains("--bump-revision=180000000000000") == isAhead)
        // The member is the one that etcd is told to be.
        let etcd = try #require(ControlPlane.etcd(facts, digests: [:]).first)
        let told = etcd["spec"]?["template"]?["spec"]?["containers"]?.items.first?["command"]?.items.compactMap(\.text)
        for flag in command where ["--name", "--initial"].contains(where: { flag.hasPrefix($0) }) {
            #expect(told?.contains(flag) == true, "\(flag)")
        }
        #expect(told?.contains("--data-dir=/var/etcd/data") == true)
        #expect(restorer["metadata"]?["name"] == "etcd-restore-1800000000")
        #expect(restorer["spec"]?["ttlSecondsAfterFinished"] == 604_800)
        #expect(restorer["spec"]?["backoffLimit"] == 2)
    }

    @Test("are not needed for the way back, nor is a store, or etcd's program")
    func wayBack() throws {
        let first = Restoration(try snapshot("20260101T000000Z"), at: 1_800_000_000)
        let job = SnapshotJobs.goBack(try facts(), Restoration(backTo: first, at: 1_800_000_000))
        #expect(job["metadata"]?["name"] == "etcd-restore-1800000001")
        let steps = try containers(job)
        #expect(steps.compactMap { $0["name"]?.text } == ["back"])
        #expect(steps[0]["volumeMounts"]?.items.compactMap { $0["name"]?.text } == ["data"])
        #expect(try pod(job)["volumes"]?.items.compactMap { $0["name"]?.text } == ["data"])
        let command = (steps[0]["command"]?.items ?? []).compactMap(\.text)
        #expect(job["spec"]?["backoffLimit"] == 0)
        #expect(command.suffix(5) == ["back", "--volume", "/var/etcd", "--restoration", "1800000001"])
    }

    @Test("have a certificate of their own, and only where there are any")
    func certificate() throws {
        let leaf = CredentialPlan.leaves(try facts(), Samples.addresses).first { $0.name == "etcd-snapshots" }
        #expect(leaf?.authority == .etcd && leaf?.isClient == true && leaf?.isServer == false)
        let none = CredentialPlan.leaves(try #require(try Samples.facts()), Samples.addresses)
        #expect(!none.contains { $0.name == "etcd-snapshots" })
    }

    @Test("stay the one value that a Seed says, whatever that is", arguments: RenderingTests.hostile)
    func hostileTexts(_ text: String) throws {
        func rendered(_ text: String) throws -> JSONValue {
            let (maker, restorer) = try jobs(try facts { ($0.endpoint, $0.region, $0.bucket) = (text, text, text) })
            return RenderingTests.replaced([maker, restorer], text)
        }
        #expect(try rendered(text) == rendered("harmless"))
    }
}

@Suite("A restoration")
struct RestorationTests {
    private func snapshot(_ name: String) throws -> StoredSnapshot {
        try #require(StoredSnapshot(key: "a/\(name).snapshot", size: 1, in: "a/"))
    }

    @Test("goes from one phase to the next, and from none back")
    func phases() throws {
        var restoration = Restoration(try snapshot("20260101T000000Z"), at: 100)
        restoration.completed(at: 5)
        #expect(restoration.phase == .replacing)
        restoration.replaced()
        restoration.failed(at: 5, "late")
        #expect(restoration.phase == .starting && restoration.message == nil)
        restoration.completed(at: 200)
        restoration.replaced()
        #expect(restoration.phase == .completed && restoration.told.completionTime == "1970-01-01T00:03:20Z")
        var failing = Restoration(try snapshot("20260101T000000Z"), at: 100)
        failing.failed(at: 150, "no room")
        failing.replaced()
        #expect(failing.phase == .failed && failing.told.message == "no room" && failing.phase.isOver)
        // The control plane is started again once.
        #expect(failing.told.isStopped == true && restoration.told.isStopped == nil)
        failing.passed()
        failing.failed(at: 200, "late")
        #expect(failing.phase == .failed && failing.told.isStopped == nil && failing.told.message == "no room")
    }

    @Test("is refused with the reason where it cannot be, and over a rotation of credentials above all")
    func refusals() throws {
        let (new, old) = (try snapshot("20260601T000000Z"), try snapshot("20260101T000000Z"))
        var records = FlowRecords()
        func refusal(_ snapshot: StoredSnapshot?, asleep: Bool = false) throws -> String? {
            let shoot = try Samples.shoot { $0.spec.hibernation.enabled = asleep }
            return Restoration.refusal(of: shoot, records, from: snapshot)
        }
        #expect(try refusal(new) == nil && refusal(old) == nil)
        #expect(try refusal(nil) == "there is no such snapshot")
        #expect(try refusal(new, asleep: true) == "the shoot sleeps")
        var rotation = Rotation()
        #expect(rotation.start(at: 1) == nil)
        records.rotation = rotation
        #expect(try refusal(new) == "a rotation of credentials is under way")
        for _ in 0..<2 { rotation.reached(at: 2) }
        #expect(rotation.complete() == nil)
        records.rotation = rotation
        #expect(try refusal(new) == "a rotation of credentials is under way")
        // 1 April 2026.
        for _ in 0..<2 { rotation.reached(at: 1_775_001_600) }
        records.rotation = rotation
        #expect(try refusal(new) == nil)
        #expect(try refusal(old)?.contains("older than the last rotation") == true)
        var restoration = Restoration(new, at: 1)
        records.restoration = restoration
        #expect(try refusal(new) == "a restoration is under way")
        // With what it brought the cluster may never start.
        restoration.replaced()
        records.restoration = restoration
        #expect(try refusal(new) == nil)
    }

    @Test("can be taken back once there was one, and not over a rotation of credentials")
    func wayBack() throws {
        let (shoot, new) = (try Samples.shoot { _ in }, try snapshot("20260601T000000Z"))
        var records = FlowRecords()
        func refusal() -> String? { Restoration.refusalOfWayBack(of: shoot, records) }
        #expect(refusal() == "nothing was ever restored")
        var first = Restoration(new, at: 100)
        records.restoration = first
        #expect(refusal() == "a restoration is under way")
        first.replaced()
        records.restoration = first
        #expect(refusal() == nil)
        var rotation = Rotation()
        #expect(rotation.start(at: 200) == nil)
        for _ in 0..<2 { rotation.reached(at: 200) }
        #expect(rotation.complete() == nil)
        for _ in 0..<2 { rotation.reached(at: 200) }
        records.rotation = rotation
        #expect(refusal()?.contains("older than the last rotation") == true)
        // One that fails leaves that data beside the other; one that does not, newer data.
        var second = Restoration(new, at: 300, after: first)
        var third = second
        second.failed(at: 301, "no room")
        records.restoration = second
        #expect(refusal()?.contains("older than the last rotation") == true)
        third.replaced()
        records.restoration = third
        #expect(refusal() == nil)
    }

    @Test("is found again by what the status says, and its data of before then counts as older rather than as newer")
    func found() throws {
        var restoration = Restoration(try snapshot("20260101T000000Z"), at: 300)
        var all = [restoration]
        restoration.replaced()
        all.append(restoration)
        restoration.completed(at: 400)
        all.append(restoration)
        var failing = Restoration(try snapshot("20260101T000000Z"), at: 300)
        failing.failed(at: 400, "no room")
        all.append(failing)
        let rotation = Rotation(
            finding: CredentialGenerations(used: 1, other: nil),
            CredentialGenerations(used: 1, other: nil),
            told: .init(phase: .completed, startTime: nil, completionTime: "1970-01-01T00:03:20Z")
        )
        for made in all {
            let found = try #require(Restoration(finding: made.told, size: 1))
            #expect(found.told == made.told && found.size == 1 && found.startTime == 300)
            guard found.phase != .replacing else { continue }
            var records = FlowRecords()
            (records.restoration, records.rotation) = (found, rotation)
            let refusal = Restoration.refusalOfWayBack(of: try Samples.shoot(), records)
            // What is beside the data of now may be from before the rotation where this one has put nothing in place.
            #expect((refusal != nil) == (found.phase == .failed))
        }
        let nobody = ShootStatus.Restoration(snapshot: "s", phase: .replacing, startTime: "now")
        #expect(Restoration(finding: nobody, size: 1) == nil)
    }

    @Test("has a moment of its own, whatever the clock says")
    func moments() throws {
        let first = Restoration(try snapshot("20260101T000000Z"), at: 100)
        for time in [0, 100, 101] as [UInt64] {
            let next = Restoration(try snapshot("20260101T000000Z"), at: time, after: first)
            #expect(next.startTime == 101 && next.revisions > first.revisions && !next.isBack)
        }
        #expect(Restoration(backTo: first, at: 200).startTime == 200 && Restoration(backTo: first, at: 200).isBack)
    }
}
