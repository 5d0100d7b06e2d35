internal import CLibeventTLS
internal import ClusterModel
internal import FoundationEssentials
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import Observability
internal import ShootPlan
internal import TLSEngine
internal import TendrilCore

/// Answers the API server's questions about Shoots over HTTPS.
///
/// Of specs it only says earlier what the coordinator judges anyway: while it is away, nothing is lost but time. Nobody else keeps
/// our finalizer from being taken away: whoever may patch a Shoot then has it go without its cluster.
struct AdmissionServer: Sendable {
    /// The only path.
    static let path = "/validate-shoots"
    /// In bytes; a larger question is not answered.
    ///
    /// One holds a Shoot twice, of which etcd takes none of more than 1.5 MiB.
    private static let bodyLimit = 4 << 20

    private let endpoint: HTTPEndpoint

    /// Listens; nothing is answered before `start`.
    init(
        _ settings: CoordinatorConfiguration.Webhook,
        logger: Logger,
        problems: @escaping @Sendable (Shoot, Shoot.Spec?) -> [ConfigurationProblem]
    ) throws {
        guard let address = Endpoint(settings.listen) else {
            throw SettingsError(description: "webhook.listen: \(settings.listen) is not ADDRESS:PORT")
        }
        let sessions = try ServerSessions(
            certificate: try DurableFile.read(settings.certificate),
            key: TendrilCore.Secret(try DurableFile.read(settings.key))
        )
        endpoint = try HTTPEndpoint(address, over: { Self.connection($0, sessions) }, bodyLimit: Self.bodyLimit) {
            request in
            guard request.isPost, request.path == Self.path else { return nil }
            return Self.answer(request.body, logger, problems)
        }
    }

    /// Answers on a thread of its own until the process ends.
    func start() throws {
        let endpoint = endpoint
        try WorkerThread(name: "admission") { endpoint.serve() }.detach()
    }

    private static func connection(_ base: OpaquePointer, _ sessions: ServerSessions) -> OpaquePointer? {
        guard let session = sessions.make() else { return nil }
        // The session goes with the connection.
        let connection = bufferevent_openssl_socket_new(
            base,
            -1,
            session,
            BUFFEREVENT_SSL_ACCEPTING,
            CInt(BEV_OPT_CLOSE_ON_FREE.rawValue)
        )
        if connection == nil { ServerSessions.discard(session) }
        return connection
    }

    private static func answer(
        _ body: [UInt8],
        _ logger: Logger,
        _ problems: (Shoot, Shoot.Spec?) -> [ConfigurationProblem]
    ) -> HTTPEndpoint.Response {
        guard (try? JSONDepth.check(body)) != nil,
            let review = try? JSONDecoder().decode(ShootAdmission.Review.self, from: Data(body))
        else {
            return HTTPEndpoint.Response(status: 400, "this is no AdmissionReview\n")
        }
        let refusal = ShootAdmission.refusal(review.request, problems: problems)
        if let refusal { logger.info("not admitted", metadata: ["reason": "\(refusal.prefix(500))"]) }
        let answer = ShootAdmission.answer(uid: review.request.uid, refusal: refusal)
        guard let text = try? CanonicalJSON.text(answer) else {
            return HTTPEndpoint.Response(status: 500, "the answer cannot be written\n")
        }
        return HTTPEndpoint.Response(type: "application/json", text)
    }
}
