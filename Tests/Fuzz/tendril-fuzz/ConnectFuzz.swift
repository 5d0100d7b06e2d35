import TendrilCore
import TunnelProtocol

/// The reader of CONNECT requests, and the judge of their targets.
enum ConnectFuzz {
    static let target = FuzzTarget(name: "connect", seeds: seeds.map { Array($0.utf8) }, run: run)

    private static let seeds = [
        "CONNECT 10.2.0.10:10250 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "CONNECT [fd02::10]:443 HTTP/1.1\r\n\r\nearly",
        "CONNECT worker-1:10250 HTTP/1.0\r\nA: b\r\nC: d\r\n\r\n", "CONNECT [::ffff:127.0.0.1]:1 HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
    ]

    private static let routes = StreamRoutes(
        shoot: ["0.0.0.0/0", "::/0"].compactMap { IPPrefix($0) },
        paths: [],
        names: ["worker-1"]
    )

    private static func run(_ bytes: [UInt8]) {
        let head = ConnectHead.read(bytes.span)
        switch head {
        case .incomplete: precondition(bytes.count < ConnectHead.maximumByteCount, "a head that is never refused")
        case .bad(let refusal): check(refusal)
        case .request(let target, let length):
            precondition(length <= bytes.count && bytes[..<length].suffix(4).elementsEqual("\r\n\r\n".utf8))
            // What stands behind the head changes nothing, and without its last byte it is none.
            precondition(ConnectHead.read(bytes.span.extracting(first: length)) == head)
            precondition(ConnectHead.read(bytes.span.extracting(first: length - 1)) == .incomplete)
            check(target)
        }
    }

    private static func check(_ target: StreamTarget) {
        precondition((try? StreamTarget(target.bytes)) == target, "what is sent is not what was asked for")
        let refusal = routes.refusal(of: target)
        switch target {
        case .address(let address, let port):
            precondition(port > 0 && (refusal != nil) == address.isNeverATarget)
        case .name(let name, let port):
            precondition(port > 0 && IPAddress(name) == nil && (refusal != nil) == (name != "worker-1"))
        case .service: preconditionFailure("a service was asked for")
        }
    }

    /// The answer is one line, whatever was asked.
    private static func check(_ refusal: HTTPRefusal) {
        let line = refusal.bytes.dropLast(4)
        precondition(refusal.bytes.suffix(4).elementsEqual("\r\n\r\n".utf8))
        precondition((400...599).contains(refusal.status) && line.allSatisfy { (0x20...0x7E).contains($0) })
    }
}
