import Foundation
import HTTPModel
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
        #expect(reason("b").hasPrefix("kubeconfig \(one): users[program].user.exec is not supported"))
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
            contexts: [{name: a, context: {cluster: c, user: u}}]
            clusters: [{name: c, cluster: {server: "https://c"}}]
            users: [{name: u, user: {}}]
            """
        )
        #expect(try Kubeconfig(paths: [one, two], context: nil).server == "https://c")
        let error = #expect(throws: KubeconfigError.self) { try Kubeconfig(paths: [one], context: nil) }
        #expect(error?.description == "kubeconfig \(one): there is no current context")
    }

    /// What comes of a kubeconfig with these fields.
    private func parsed(
        cluster: String = "",
        user: String,
        context: String = "cluster: c, user: u"
    ) throws -> Kubeconfig {
        let directory = try TestDirectory()
        defer { withExtendedLifetime(directory) {} }
        try directory.write("token", "in a file")
        let file = try directory.write(
            "config",
            """
            current-context: a
            contexts: [{name: a, context: {\(context)}}]
            clusters: [{name: c, cluster: {server: "https://c"\(cluster)}}]
            users: [{name: u, user: {\(user)}}]
            """
        )
        return try Kubeconfig(path: file)
    }

    @Test(
        "Nothing is passed over that says who one is, or whom one believes",
        arguments: [
            ("", "token: x, as: admin", "users[u].user.as is not supported"),
            ("", "token: x, as-groups: [a]", "users[u].user.as-groups is not supported"),
            ("", "token: x, as-uid: a", "users[u].user.as-uid is not supported"),
            ("", "token: x, as-user-extra: {a: [b]}", "users[u].user.as-user-extra is not supported"),
            ("", "username: x, password: y", "users[u].user.username is not supported: use a certificate"),
            ("", "exec: {command: x}", "users[u].user.exec is not supported: no program is run"),
            ("", "client-certificate-data: eA==", "users[u].user.client-certificate has no client-key"),
            ("", "client-key-data: eA==, token: x", "users[u].user.client-key has no client-certificate"),
            ("", "client-key-data: '?'", "users[u].user.client-key-data is not base64"),
            ("", "tokenFile: nowhere", "users[u].user.tokenFile cannot be used: could not open"),
            (", tls-server-name: d", "token: x", "clusters[c].cluster.tls-server-name is not supported"),
            (", insecure-skip-tls-verify: true", "token: x", "clusters[c].cluster.insecure-skip-tls-verify is not"),
        ]
    )
    func refused(_ cluster: String, _ user: String, _ expected: String) {
        let error = #expect(throws: KubeconfigError.self) { _ = try parsed(cluster: cluster, user: user) }
        let text = error?.description ?? ""
        #expect(text.hasPrefix("kubeconfig /") && text.contains("/config: \(expected)"), "\(text)")
    }

    @Test(
        "A context without a user, or with one that is not there, is not taken for nobody",
        arguments: ["cluster: c", "cluster: c, user: v"]
    )
    func withoutUser(_ context: String) {
        let error = #expect(throws: KubeconfigError.self) { _ = try parsed(user: "token: x", context: context) }
        #expect(error?.description.hasSuffix("the context a leads to no user") == true)
    }

    @Test("A token's file counts before a token, as client-go has it, and what is empty is not there")
    func precedence() throws {
        let somebody = try parsed(user: "token: x, tokenFile: token")
        guard case .tokenFile(let path) = somebody.security.credential else {
            Issue.record("not the file's")
            return
        }
        #expect(path.hasSuffix("/token"))
        let empty = "token: '', tokenFile: '', as: '', as-groups: [], exec: ~"
        let nobody = try parsed(cluster: ", insecure-skip-tls-verify: false", user: empty)
        guard case .none = nobody.security.credential else {
            Issue.record("not nobody")
            return
        }
    }

    @Test("One that cannot be read or is no YAML is named", arguments: [nil, "a: [", "- 1"])
    func unreadable(_ text: String?) throws {
        let directory = try TestDirectory()
        defer { withExtendedLifetime(directory) {} }
        let path = directory.path + "/config"
        if let text { try directory.write("config", text) }
        let error = #expect(throws: KubeconfigError.self) { try Kubeconfig(paths: [path], context: nil) }
        #expect(error?.description.hasPrefix("kubeconfig \(path): ") == true, "\(error?.description ?? "")")
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
