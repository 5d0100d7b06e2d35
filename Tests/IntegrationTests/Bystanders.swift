/// Programs of others that stand between both sides, or beside them.
extension Lab {
    /// Starts a load balancer in the seed, which leads each connection to the port whose name stands in its ClientHello; an empty
    /// name is everybody's.
    func startBalancer(at port: Int, _ routes: [String: Int]) throws -> Program {
        let arguments = ["\(port)"] + routes.map { "\($0.key)=\($0.value)" }
        return try start("seed", ["python3", "-c", Self.balancer] + arguments)
    }

    private static let balancer = """
        import asyncio, sys
        routes = [(n.encode(), int(p)) for n, p in (r.split("=") for r in sys.argv[2:])]
        async def pump(reader, writer):
            try:
                while data := await reader.read(65536):
                    writer.write(data)
                    await writer.drain()
                writer.write_eof()
            except OSError:
                writer.transport.abort()
        async def serve(reader, writer):
            head = await reader.read(65536)
            port = next((p for n, p in routes if n in head), None)
            try:
                if port:
                    far_reader, far_writer = await asyncio.open_connection("192.0.2.1", port)
                    far_writer.write(head)
                    await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
            except OSError:
                pass
            writer.close()
        async def main():
            server = await asyncio.start_server(serve, "192.0.2.1", int(sys.argv[1]))
            await server.serve_forever()
        asyncio.run(main())
        """

    /// Starts a name server in the shoot.
    ///
    /// - Parameter answers: the addresses of each name, one answer after the other: a question gets the next one.
    /// - Returns: the files that make it the name server of a program there.
    /// - Throws: where it cannot be started.
    func startResolver(_ answers: [String: [[String]]]) throws -> [String: String] {
        let arguments = answers.map { $0.key + "=" + $0.value.map { $0.joined(separator: "+") }.joined(separator: ",") }
        _ = try start("shoot", ["python3", "-c", Self.resolver] + arguments)
        let file = "\(directory)/resolv.conf"
        try Self.run(["sh", "-c", "echo nameserver 127.0.0.1 >\(file)"])
        return ["/etc/resolv.conf": file]
    }

    private static let resolver = """
        import itertools, socket, sys
        names = {n: itertools.cycle([a.split("+") for a in v.split(",")]) for n, v in (x.split("=") for x in sys.argv[1:])}
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", 53))
        while True:
            query, peer = server.recvfrom(512)
            labels, at = [], 12
            while query[at]:
                labels.append(query[at + 1:at + 1 + query[at]].decode())
                at += 1 + query[at]
            name, kind = ".".join(labels), query[at + 2]
            found = next(names[name]) if name in names and kind == 1 else []
            code = 0 if name in names else 3
            head = query[:2] + bytes([0x81, 0x80 | code, 0, 1, 0, len(found), 0, 0, 0, 0])
            records = b"".join(b"\\xc0\\x0c\\0\\x01\\0\\x01\\0\\0\\0\\0\\0\\x04" + socket.inet_aton(a) for a in found)
            server.sendto(head + query[12:at + 5] + records, peer)
        """
}
