import Foundation
import KubernetesClient
import TestSupport
import Testing

@Suite("Kubeconfigs")
struct KubeconfigTests {
    @Test(
        "One that came over the network names no file of this machine",
        arguments: [
            #""tokenFile": "/etc/hostname""#, #""client-certificate": "/etc/hostname", "client-key": "/etc/hostname""#,
        ]
    )
    func remoteKubeconfig(_ user: String) throws {
        func document(_ cluster: String, _ user: String) -> [UInt8] {
            Array(
                """
                {"current-context": "a", "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
                "clusters": [{"name": "a", "cluster": {"server": "https://a"\(cluster)}}], "users": [{"name": "a", "user": {\(user)}}]}
                """.utf8
            )
        }
        #expect(throws: KubeconfigError.self) { try Kubeconfig(remote: document("", user)) }
        #expect(throws: KubeconfigError.self) {
            try Kubeconfig(remote: document(#", "certificate-authority": "/etc/hostname""#, #""token": "x""#))
        }
        _ = try Kubeconfig(remote: document("", #""token": "x""#))
    }

    @Test("Several are merged as kubectl does it: the first that names something says what it is")
    func mergedKubeconfigs() throws {
        let directory = try TestDirectory()
        defer { withExtendedLifetime(directory) {} }
        try directory.write("two/ca.crt", "a CA")
        let one = try directory.write(
            "one/config",
            """
            contexts: [{name: a, context: {cluster: c, user: u, namespace: first}}]
            users: [{name: u, user: {token: x}}, {name: program, user: {exec: {command: aws}}}]
            """
        )
        let two = try directory.write(
            "two/config",
            """
            current-context: a
            contexts: [{name: a, context: {cluster: no}}, {name: b, context: {cluster: c, user: program}}]
            clusters: [{name: c, cluster: {server: "https://c", certificate-authority: ca.crt}}]
            users: [{name: u, user: {}}]
            """
        )
        let merged = try Kubeconfig(paths: [one, directory.path + "/nobody", two], context: nil)
        #expect(merged.server == "https://c" && merged.namespace == "first")
        #expect(throws: KubeconfigError.self) { try Kubeconfig(paths: [two, one], context: nil) }
        func reason(_ context: String) -> String {
            do {
                _ = try Kubeconfig(paths: [one, two], context: context)
                return ""
            } catch {
                return "\(error)"
            }
        }
        #expect(reason("b").hasPrefix("users[program].user.exec is not supported"))
        #expect(reason("c").contains("context c leads to no server"))
    }

    @Test("A current context without a name is none: the next file's counts")
    func emptyContext() throws {
        let directory = try TestDirectory()
        defer { withExtendedLifetime(directory) {} }
        let one = try directory.write("one", "current-context: ''")
        let two = try directory.write(
            "two",
            """
            current-context: a
            contexts: [{name: a, context: {cluster: c}}]
            clusters: [{name: c, cluster: {server: "https://c"}}]
            """
        )
        #expect(try Kubeconfig(paths: [one, two], context: nil).server == "https://c")
        let error = #expect(throws: KubeconfigError.self) { try Kubeconfig(paths: [one], context: nil) }
        #expect(error?.description == "the kubeconfig has no current context")
    }

    @Test(
        "Where none is named they are where kubectl looks",
        arguments: [
            (["KUBECONFIG": "a:/b", "HOME": "/h"], ["a", "/b"]), (["KUBECONFIG": "a:", "HOME": "/h"], ["a"]),
            (["KUBECONFIG": "", "HOME": "/h"], ["/h/.kube/config"]), (["HOME": "/h"], ["/h/.kube/config"]),
        ] as [([String: String], [String])]
    )
    func places(_ environment: [String: String], _ paths: [String]) {
        #expect(Kubeconfig.paths(environment) == paths)
    }
}
