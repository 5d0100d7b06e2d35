internal import ClusterModel
internal import HTTPModel
internal import ShootPlan
internal import TendrilCore

/// Single machines of scaling groups (Amazon EC2 Auto Scaling API Reference, version 2011-01-01).
///
/// Terraform makes the groups; of what is done here it knows nothing to undo, for it says only their bounds.
struct AWSAutoScaling {
    let region: String
    /// The URL of every service, for simulators; AWS itself where it is missing.
    let endpoint: String?
    let credential: HTTPSecurity.Credential
    let transport: any HTTPTransport

    /// Has a group have this many machines, within its bounds.
    func setDesiredCapacity(of group: String, to count: Int) async throws {
        try await call("SetDesiredCapacity", ["AutoScalingGroupName": group, "DesiredCapacity": "\(count)"])
    }

    /// Ends a machine; another one comes in its place unless the group `shrinks`.
    func terminate(_ instance: String, shrinks: Bool) async throws {
        try await call(
            "TerminateInstanceInAutoScalingGroup",
            ["InstanceId": instance, "ShouldDecrementDesiredCapacity": shrinks ? "true" : "false"]
        )
    }

    private var url: String {
        let suffix = region.hasPrefix("cn-") ? "amazonaws.com.cn" : "amazonaws.com"
        return (endpoint ?? "https://autoscaling.\(region).\(suffix)") + "/"
    }

    private func call(_ action: String, _ parameters: [String: String]) async throws {
        let fields = parameters.merging(["Action": action, "Version": "2011-01-01"]) { $1 }
        let form = fields.sorted { $0.key < $1.key }.map { "\($0.key)=\(ResourceKind.encoded($0.value))" }
        let request = HTTPRequest(
            .post,
            url,
            headers: [("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")],
            body: Array(form.joined(separator: "&").utf8),
            bodyLimit: 1 << 20
        )
        let response: HTTPResponse
        do throws(TransferError) {
            response = try await transport.send(request, HTTPSecurity(trust: .system, credential: credential))
        } catch {
            throw TaskFailure(.unknown, "\(action): \(error)")
        }
        guard (200..<300).contains(response.status) else {
            let text = String(decoding: response.body.prefix(4096), as: UTF8.self)
            throw TaskFailure(
                CloudFailure.code(text),
                "\(action): \(CloudFailure.message(text)), status \(response.status)"
            )
        }
    }
}
