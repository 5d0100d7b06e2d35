#!/usr/bin/env python3
"""proxy.py ADDRESS PORT: an HTTP proxy that knows CONNECT and nothing else (RFC 9110, 9.3.6); logs what it connects."""
import socket, sys, threading


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(client):
    head = b""
    while b"\r\n\r\n" not in head and (data := client.recv(4096)):
        head += data
    try:
        method, target, _ = head.split(b"\r\n")[0].split()
        host, _, port = target.decode().rpartition(":")
        if method != b"CONNECT":
            raise ValueError("not CONNECT")
        server = socket.create_connection((host.strip("[]"), int(port)), 10)
    except (OSError, ValueError) as error:
        print("refused", head[:100], error, flush=True)
        client.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
        return client.close()
    print("connected", target.decode(), flush=True)
    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    server.sendall(head.partition(b"\r\n\r\n")[2])
    threading.Thread(target=pump, args=(client, server), daemon=True).start()
    pump(server, client)


listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
